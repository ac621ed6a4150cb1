/**
 * What the kernel is asked to receive, connection by connection.
 *
 * Bounded receiving: a multishot receive may fill dozens of buffers before anyone can say stop, so what looks
 * like a stream is received in portions (volume.ts), everything in single buffers where these are tight, and
 * what comes on a background connection when its turn comes (background-reads.ts).
 *
 * @hot
 */
import { type BufferPool, RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { ConnectionList, type ConnectionTable, Flag, InFlight } from "../native/connection-table.ts";
import { BackgroundReads } from "./background-reads.ts";
import { BreakPolls } from "./break-polls.ts";
import type { BufferRing } from "./buffer-ring.ts";
import { Operation } from "./operation.ts";
import { prepRecv, prepRecvMultishot } from "./prep.ts";
import type { Ring } from "./ring.ts";
import { Volume } from "./volume.ts";

const RECEIVE = Operation.receive;
const OPEN = Flag.open;
const CONNECTED = Flag.connected;
const PAUSED = Flag.paused;
const ENDED = Flag.ended;
const FAILED = Flag.failed;
const WATCHED = Flag.watched;
const BACKGROUND = Flag.background;
const RECEIVE_IN_FLIGHT = InFlight.receive;

/** The most that one portion of a stream may bring, over several buffers. */
const PORTION_BYTES = 4 * RECEIVE_BYTES;

export class Receiving {
  readonly volume: Volume;
  readonly background: BackgroundReads;
  readonly breakPolls: BreakPolls;
  readonly #ring: Ring;
  readonly #table: ConnectionTable;
  readonly #buffers: BufferPool;
  readonly #bufferRing: BufferRing;
  /** Connections whose receive found no buffer. */
  readonly #starved: ConnectionList;

  constructor(ring: Ring, table: ConnectionTable, buffers: BufferPool, bufferRing: BufferRing) {
    this.#ring = ring;
    this.#table = table;
    this.#buffers = buffers;
    this.#bufferRing = bufferRing;
    this.#starved = new ConnectionList(table.capacity);
    this.volume = new Volume(table.capacity);
    this.background = new BackgroundReads(ring, table);
    this.breakPolls = new BreakPolls(ring, table);
  }

  get hasStarved(): boolean {
    return this.#starved.count > 0;
  }

  /** Whether a turn has something to arm that no event will remind of. */
  hasPending(): boolean {
    const { available } = this.#bufferRing;
    const { freeLargeCount } = this.#buffers;
    if (this.#starved.count > 0 && available === 0 && freeLargeCount > 0) return true;
    return this.background.isWaiting && available + freeLargeCount > 0;
  }

  /** `connection` is not being received from: it is from now on, in whichever way suits it, or watched. */
  arm(connection: number): void {
    const flags = this.#table.flags[connection]!;
    if ((flags & (PAUSED | ENDED)) !== 0) {
      if ((flags & WATCHED) !== 0) this.breakPolls.arm(connection);
    } else if ((flags & BACKGROUND) !== 0 && this.volume.isCalm(connection)) this.background.arm(connection);
    else this.#receive(connection);
  }

  /** A receive of `connection` found no buffer: more are offered, and it tries again when there are. */
  starve(connection: number): void {
    this.#bufferRing.grow();
    this.#starved.add(connection);
  }

  /** As many of the starved as there are buffers try again, oldest first; then the background has its turn. */
  feed(): void {
    let meals = this.#bufferRing.available;
    while (meals > 0 && this.#starved.count > 0) {
      const connection = this.#starved.take();
      if (!this.#mayReceive(connection)) continue;
      this.arm(connection);
      meals--;
    }
    for (let left = Math.min(meals, this.background.turns); left > 0; left--) {
      const connection = this.background.take();
      const flags = this.#table.flags[connection]!;
      if (this.#mayReceive(connection) && (flags & (PAUSED | ENDED)) === 0) this.#receive(connection);
    }
  }

  #mayReceive(connection: number): boolean {
    if ((this.#table.flags[connection]! & (OPEN | CONNECTED | FAILED)) !== (OPEN | CONNECTED)) return false;
    return (this.#table.inFlight[connection]! & RECEIVE_IN_FLIGHT) === 0;
  }

  #receive(connection: number): void {
    const ring = this.#ring;
    const fd = this.#table.fd[connection]!;
    const at = ring.nextSqe();
    const isStream = this.volume.isStream(connection);
    const isBackground = (this.#table.flags[connection]! & BACKGROUND) !== 0;
    this.#table.inFlight[connection] = this.#table.inFlight[connection]! | RECEIVE_IN_FLIGHT;
    if (this.#buffers.isTight || (isBackground && !isStream && this.volume.isCalm(connection))) {
      prepRecv(ring.sqes, at, fd, 0, false, RECEIVE, connection);
    } else if (!isStream) {
      prepRecvMultishot(ring.sqes, at, fd, RECEIVE, connection);
    } else {
      const bundle = ring.hasBundles;
      prepRecv(ring.sqes, at, fd, bundle ? PORTION_BYTES : 0, bundle, RECEIVE, connection);
    }
  }
}
