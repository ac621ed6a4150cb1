/**
 * Pairs of connections whose bytes are passed on as they come: an upgraded exchange (RFC 9110 §7.8), and
 * every connection in mode tcp.
 *
 * Strategy: a received range is sent as it lies. A side that takes its bytes slowly pauses the other. FIN is
 * passed on behind the bytes before it, and the pair ends when both directions have. What breaks one side
 * resets the other, so that a cut stream never looks like a finished one.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";
import type { RangeQueue } from "../base/range-queue.ts";
import { Counter } from "../contract/counters.ts";
import { type Failure, Failures } from "./failure.ts";
import { peerText } from "./peer-text.ts";
import { ConnectionKind, type Plane } from "./plane.ts";

const NO_PARTNER = -1;
const IS_CLIENT = 1;
/** This side has sent FIN. */
const ENDED = 2;
/** This side is not read, because its partner's queue is long. */
const PAUSED = 4;

export class Relays {
  readonly #plane: Plane;
  readonly #partner: Int32Array;
  readonly #flags: Uint8Array;

  constructor(plane: Plane) {
    this.#plane = plane;
    this.#partner = new Int32Array(plane.port.connectionsMax).fill(NO_PARTNER);
    this.#flags = new Uint8Array(plane.port.connectionsMax);
  }

  /** From now on `client` and `origin` are each other's. Both are open and being read. */
  join(client: number, origin: number): void {
    assert(this.#partner[client] === NO_PARTNER, "a client has one partner");
    assert(this.#partner[origin] === NO_PARTNER, "an origin has one partner");
    this.#plane.kinds[client] = ConnectionKind.relay;
    this.#plane.kinds[origin] = ConnectionKind.relay;
    this.#partner[client] = origin;
    this.#partner[origin] = client;
    this.#flags[client] = IS_CLIENT;
    this.#flags[origin] = 0;
    this.#plane.count(Counter.tunnels, 1);
    this.#plane.count(Counter.tunnelsOpen, 1);
    this.#touch(client);
  }

  /** Whether `connection`, which is one of a pair, is its client. */
  isClient(connection: number): boolean {
    return (this.#flags[connection]! & IS_CLIENT) !== 0;
  }

  /** Bytes of one side; takes over their reference. */
  received(connection: number, start: number, end: number): void {
    const { counters } = this.#plane;
    const fromClient = (this.#flags[connection]! & IS_CLIENT) !== 0;
    const counter = fromClient ? Counter.clientBytesIn : Counter.originBytesIn;
    counters[counter] = counters[counter]! + (end - start);
    this.forward(connection, start, end);
  }

  /** As `received`, for bytes that were counted when they came: before the pair was one. */
  forward(connection: number, start: number, end: number): void {
    const plane = this.#plane;
    const partner = this.#partner[connection]!;
    const fromClient = (this.#flags[connection]! & IS_CLIENT) !== 0;
    const counter = fromClient ? Counter.originBytesOut : Counter.clientBytesOut;
    plane.counters[counter] = plane.counters[counter]! + (end - start);
    const housed = plane.housePiece(start, end);
    plane.port.send(partner, housed, housed + end - start);
    if (plane.isQueueLong(partner, end - start)) this.#pause(connection, partner);
    this.#touch(connection);
  }

  /** As `forward`, for all that waits in `queue`, which is empty then. */
  forwardAll(connection: number, queue: RangeQueue): void {
    const { ranges } = this.#plane;
    while (!ranges.isEmpty(queue)) {
      const start = ranges.firstStart(queue);
      const end = ranges.firstEnd(queue);
      ranges.shift(queue);
      this.forward(connection, start, end);
    }
  }

  /** FIN from one side. */
  ended(connection: number): void {
    const { port } = this.#plane;
    const partner = this.#partner[connection]!;
    this.#flags[connection] = this.#flags[connection]! | ENDED;
    port.shutdown(partner);
    if ((this.#flags[partner]! & ENDED) === 0) return;
    // Both directions are over, but either queue may still hold bytes: `drained` comes for each.
    port.wantDrained(connection);
    port.wantDrained(partner);
  }

  /** A queue has run empty. */
  drained(connection: number): void {
    const { port } = this.#plane;
    const partner = this.#partner[connection]!;
    this.#touch(connection);
    this.#plane.standstill.leave(connection);
    if ((this.#flags[partner]! & PAUSED) !== 0) {
      this.#flags[partner] = this.#flags[partner]! & ~PAUSED;
      port.resume(partner);
    }
    if ((this.#flags[connection]! & this.#flags[partner]! & ENDED) === 0) return;
    if (port.queuedBytes(connection) === 0 && port.queuedBytes(partner) === 0) this.#part(connection, false);
  }

  /** One side is broken. */
  failed(connection: number): void {
    const fromClient = (this.#flags[connection]! & IS_CLIENT) !== 0;
    this.#tell(connection, fromClient ? Failures.clientGone : Failures.tunnelCut);
    this.#part(connection, true);
  }

  /** The pair has been silent for too long. */
  due(connection: number): void {
    this.#plane.count(Counter.closedTunnelIdle, 1);
    this.#part(connection, false);
  }

  /** Slots are short, and one side has not taken what is queued for it for too long. */
  evict(connection: number): void {
    this.#tell(connection, Failures.overload);
    this.#part(connection, true);
  }

  /** A client's half: the time that it had to leave is over. */
  cutLate(client: number): void {
    this.#tell(client, Failures.drainCut);
    this.#part(client, true);
  }

  #pause(connection: number, partner: number): void {
    const { port, standstill, nowMs } = this.#plane;
    if ((this.#flags[connection]! & PAUSED) !== 0) return;
    standstill.enter(partner, nowMs);
    this.#flags[connection] = this.#flags[connection]! | PAUSED;
    port.pause(connection);
    port.wantDrained(partner);
  }

  /** The idle deadline of a pair stands with its client. */
  #touch(connection: number): void {
    const { deadlines, snapshot } = this.#plane;
    const client = (this.#flags[connection]! & IS_CLIENT) !== 0 ? connection : this.#partner[connection]!;
    deadlines.set(client, snapshot.timeouts.tunnelIdleMs);
  }

  #tell(connection: number, { counter, by, reason, text }: Failure): void {
    const plane = this.#plane;
    const client = (this.#flags[connection]! & IS_CLIENT) !== 0 ? connection : this.#partner[connection]!;
    plane.count(counter, 1);
    if (!plane.notices.admits(reason)) return;
    plane.notices.failure({
      by,
      phase: "tunnel",
      reason,
      status: 0,
      client: peerText(plane, client),
      endpoint: "",
      request: "",
      message: text,
    });
  }

  #part(connection: number, broken: boolean): void {
    const plane = this.#plane;
    const partner = this.#partner[connection]!;
    assert(partner !== NO_PARTNER, "a pair ends once");
    this.#partner[connection] = NO_PARTNER;
    this.#partner[partner] = NO_PARTNER;
    plane.kinds[connection] = ConnectionKind.none;
    plane.kinds[partner] = ConnectionKind.none;
    plane.deadlines.clear(connection);
    plane.deadlines.clear(partner);
    plane.count(Counter.tunnelsOpen, -1);
    plane.admission.leave((this.#flags[connection]! & IS_CLIENT) !== 0 ? connection : partner);
    plane.standstill.leave(connection);
    plane.standstill.leave(partner);
    plane.count(Counter.originsOpen, -1);
    if (broken) {
      plane.port.reset(connection);
      plane.port.reset(partner);
    } else {
      plane.port.close(connection);
      plane.port.close(partner);
    }
  }
}
