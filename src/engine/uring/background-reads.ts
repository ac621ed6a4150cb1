/**
 * The reading of background connections (`Port.setBackground`), some of them in each turn.
 *
 * Strategy: a receive that is armed brings its bytes when they come, and a burst of thousands would fill as many
 * buffers. So these connections are only polled; those of which something is told stand in a list, and each
 * turn receives from the first few of it.
 *
 * The kernel makes about twenty completions per call (6.13), in the order in which things happened: behind
 * thousands of such polls it would tell of others late. Where a batch brought many, `beginTurn` says that it pays
 * to ask for more at once: a poll that is told costs next to nothing.
 *
 * @hot
 */
import { BACKGROUND_READS_MAX } from "../../contract/port.ts";
import { ConnectionList, type ConnectionTable, Flag, InFlight } from "../native/connection-table.ts";
import { Operation } from "./operation.ts";
import { prepCancel, prepPollIn } from "./prep.ts";
import type { Ring } from "./ring.ts";

const READ_POLL = Operation.readPoll;
const SILENT = Operation.silent;
const IN_FLIGHT = InFlight.readPoll;
const READING = InFlight.receive;
const OPEN = Flag.open;
const UNREADABLE = Flag.paused | Flag.ended | Flag.failed;
const BACKGROUND_MAX = BACKGROUND_READS_MAX;
/** So many polls told in one batch are a burst. */
const MANY = 8;

export class BackgroundReads {
  readonly #ring: Ring;
  readonly #table: ConnectionTable;
  /** Something can be read from them. */
  readonly #waiting: ConnectionList;
  #toldCount = 0;
  #turnsLeft = BACKGROUND_MAX;

  constructor(ring: Ring, table: ConnectionTable) {
    this.#ring = ring;
    this.#table = table;
    this.#waiting = new ConnectionList(table.capacity);
  }

  get isWaiting(): boolean {
    return this.#waiting.count > 0;
  }

  /** Connections that may be taken now. */
  get turns(): number {
    return Math.min(this.#waiting.count, this.#turnsLeft);
  }

  /** One from which something can be read; it may have changed since. */
  take(): number {
    this.#turnsLeft--;
    return this.#waiting.take();
  }

  /** `connection` is to be read when there is something, and its turn comes. */
  arm(connection: number): void {
    const { fd, inFlight } = this.#table;
    if ((inFlight[connection]! & IN_FLIGHT) !== 0 || this.#waiting.has(connection)) return;
    inFlight[connection] = inFlight[connection]! | IN_FLIGHT;
    prepPollIn(this.#ring.sqes, this.#ring.nextSqe(), fd[connection]!, READ_POLL, connection);
  }

  /** Its poll ends, if there is one; its completion is yet to come. */
  cancel(connection: number): void {
    if ((this.#table.inFlight[connection]! & IN_FLIGHT) === 0) return;
    prepCancel(this.#ring.sqes, this.#ring.nextSqe(), READ_POLL, connection, SILENT);
  }

  /** Its poll has completed: something can be read, or it was cancelled. */
  told(connection: number): void {
    const { flags, inFlight } = this.#table;
    inFlight[connection] = inFlight[connection]! & ~IN_FLIGHT;
    this.#toldCount++;
    if ((flags[connection]! & (OPEN | UNREADABLE)) !== OPEN) return;
    if ((inFlight[connection]! & READING) === 0) this.#waiting.add(connection);
  }

  /** What was armed has been handed over. Returns whether many may be about to be told. */
  beginTurn(): boolean {
    const isBurst = this.#toldCount >= MANY || this.#waiting.count > 0;
    this.#toldCount = 0;
    this.#turnsLeft = BACKGROUND_MAX;
    return isBurst;
  }
}
