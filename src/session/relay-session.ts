/**
 * The TCP data plane of one worker (mode tcp): a backend connection for each client connection, bytes relayed
 * as they come.
 *
 * Strategy: a client is not read before its backend connection stands; what had come by then waits. A backend
 * that cannot be reached is left for the next one, as nothing was sent yet. When none is left the client is
 * reset: there is no protocol in which to tell it why.
 *
 * @hot
 */
import { EndpointRegistry } from "../balance/endpoint-registry.ts";
import { RoundRobin } from "../balance/round-robin.ts";
import { assert } from "../base/assert.ts";
import { histogramRecord } from "../base/histogram.ts";
import { RangeQueue } from "../base/range-queue.ts";
import { Counter, HistogramCell } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import type { Notices } from "../contract/notices.ts";
import { LISTENERS_MAX, type Port } from "../contract/port.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { connectFailure, type Failure, Failures } from "./failure.ts";
import { peerText } from "./peer-text.ts";
import { ConnectionKind, DUE_PER_BATCH_MAX, EVICTIONS_PER_BATCH_MAX, microseconds, Plane } from "./plane.ts";
import { Relays } from "./relay.ts";
import type { Session } from "./session.ts";
import { reportTurnedAway } from "./turned-away.ts";

/** Backends that one client connection may meet. */
const ATTEMPTS_MAX = 4;

/** A client whose backend connection does not stand yet. */
class Waiting {
  client = -1;
  origin = -1;
  cluster: RoundRobin | null = null;
  endpointIndex = -1;
  tried = 0;
  attempts = 0;
  connectStartMs = 0;
  /** FIN came meanwhile. */
  ended = false;
  readonly input = new RangeQueue();
}

/** Parameters as for `createHttpSession`. */
export function createRelaySession(
  port: Port,
  snapshot: Snapshot,
  counters: Float64Array,
  notices: Notices,
  epochOffsetMs: number,
): Session {
  return new RelaySession(new Plane(port, snapshot, counters, notices, epochOffsetMs));
}

class RelaySession implements Session {
  readonly #plane: Plane;
  readonly #relays: Relays;
  /** By connection, client and origin alike, until they are joined. */
  readonly #waiting: (Waiting | null)[];
  readonly #free: Waiting[] = [];
  readonly #registry = new EndpointRegistry();
  #clusters: readonly RoundRobin[] = [];
  /** Listeners whose clients are ended with the next batch. */
  readonly #cutPending = new Set<number>();

  constructor(plane: Plane) {
    this.#plane = plane;
    this.#relays = new Relays(plane);
    this.#waiting = new Array<Waiting | null>(plane.port.connectionsMax).fill(null);
    this.replaceSnapshot(plane.snapshot);
  }

  /** @cold */
  replaceSnapshot(snapshot: Snapshot): void {
    // Nothing is kept for reuse: a client connection has its backend connection for itself.
    this.#clusters = this.#registry.update(snapshot, 0).clusters;
    this.#plane.follow(snapshot);
  }

  followClock(epochOffsetMs: number): void {
    this.#plane.epochOffsetMs = epochOffsetMs;
  }

  drain(): void {
    this.#plane.draining = true;
  }

  /** Every connection is a tunnel, and these go on. @cold */
  drainListener(listener: number): void {
    this.#plane.setLeaving(listener, true);
  }

  /** @cold */
  cutListener(listener: number): void {
    this.#cutPending.add(listener);
  }

  /** @cold */
  cutAll(): void {
    this.#plane.draining = true;
    for (let listener = 0; listener < LISTENERS_MAX; listener++) this.#cutPending.add(listener);
  }

  /** @cold */
  openListener(listener: number): void {
    this.#plane.setLeaving(listener, false);
    this.#cutPending.delete(listener);
  }

  /** @cold */
  #cut(): void {
    const { kinds, listenerOf } = this.#plane;
    for (let connection = 0; connection < kinds.length; connection++) {
      if (!this.#cutPending.has(listenerOf[connection]!)) continue;
      const kind = kinds[connection];
      if (kind === ConnectionKind.client) this.#giveUp(this.#waitingOf(connection), Failures.drainCut);
      else if (kind === ConnectionKind.relay && this.#relays.isClient(connection))
        this.#relays.cutLate(connection);
    }
    this.#cutPending.clear();
  }

  begin(nowMs: number): void {
    this.#plane.advance(nowMs);
    if (this.#cutPending.size > 0) this.#cut();
  }

  accepted(connection: number, listener: number): void {
    const plane = this.#plane;
    const { snapshot } = plane;
    if (!plane.admission.admit(connection, snapshot.limits)) return;
    plane.adopt(connection, ConnectionKind.client, listener);
    plane.port.pause(connection);
    const waiting = this.#free.length > 0 ? this.#free.pop()! : new Waiting();
    waiting.client = connection;
    waiting.cluster = this.#clusters[snapshot.listeners[listener]!.cluster]!;
    this.#waiting[connection] = waiting;
    this.#connect(waiting, Failures.noEndpoint);
  }

  /** @cold */
  turnedAway(count: number): void {
    reportTurnedAway(this.#plane, count);
  }

  connected(connection: number): void {
    const plane = this.#plane;
    const { port, ranges, counters, nowMs } = plane;
    const waiting = this.#waitingOf(connection);
    const { client, ended } = waiting;
    const endpoint = waiting.cluster!.endpoints[waiting.endpointIndex]!;
    plane.count(Counter.originsOpened, 1);
    histogramRecord(counters, HistogramCell.connectUs, microseconds(nowMs - waiting.connectStartMs));
    if (endpoint.trust()) plane.notices.endpoint(endpoint.address, 0);
    plane.deadlines.clear(connection);
    this.#waiting[client] = null;
    this.#waiting[connection] = null;
    this.#relays.join(client, connection);
    port.resume(client);
    while (!ranges.isEmpty(waiting.input)) {
      const start = ranges.firstStart(waiting.input);
      const end = ranges.firstEnd(waiting.input);
      ranges.shift(waiting.input);
      this.#relays.received(client, start, end);
    }
    this.#recycle(waiting);
    if (ended) this.#relays.ended(client);
  }

  received(connection: number, start: number, end: number): void {
    const plane = this.#plane;
    if (plane.kinds[connection] === ConnectionKind.relay) this.#relays.received(connection, start, end);
    else plane.ranges.push(this.#waitingOf(connection).input, start, end);
  }

  ended(connection: number): void {
    if (this.#plane.kinds[connection] === ConnectionKind.relay) this.#relays.ended(connection);
    else this.#waitingOf(connection).ended = true;
  }

  drained(connection: number): void {
    if (this.#plane.kinds[connection] === ConnectionKind.relay) this.#relays.drained(connection);
  }

  failed(connection: number, errno: number): void {
    if (this.#plane.kinds[connection] === ConnectionKind.relay) {
      this.#relays.failed(connection);
      return;
    }
    const waiting = this.#waitingOf(connection);
    if (connection === waiting.origin) this.#connectFailed(waiting, errno);
    else this.#giveUp(waiting, Failures.clientGone);
  }

  end(): number {
    const { deadlines, kinds } = this.#plane;
    for (let count = 0; count < DUE_PER_BATCH_MAX; count++) {
      const due = deadlines.takeDue();
      if (due < 0) break;
      if (kinds[due] === ConnectionKind.relay) this.#relays.due(due);
      else this.#connectFailed(this.#waitingOf(due), Errno.ETIMEDOUT);
    }
    for (let count = 0; count < EVICTIONS_PER_BATCH_MAX; count++) {
      const stuck = this.#plane.takeStandstill();
      if (stuck < 0) break;
      this.#relays.evict(stuck);
    }
    this.#plane.settle();
    return this.#plane.waitMs();
  }

  #waitingOf(connection: number): Waiting {
    const waiting = this.#waiting[connection]!;
    assert(waiting !== null, "a connection waits or is relayed");
    return waiting;
  }

  /** Tries the next endpoint; `failure` is the reason to give up when there is none. */
  #connect(waiting: Waiting, failure: Failure): void {
    const plane = this.#plane;
    const cluster = waiting.cluster!;
    let verdict = failure;
    while (waiting.attempts < ATTEMPTS_MAX) {
      const index = cluster.next(plane.nowS, waiting.tried);
      if (index < 0) break;
      waiting.attempts++;
      waiting.endpointIndex = index;
      const connection = plane.port.connect(cluster.endpoints[index]!.address);
      if (connection >= 0) {
        waiting.origin = connection;
        waiting.connectStartMs = plane.nowMs;
        this.#waiting[connection] = waiting;
        plane.adopt(connection, ConnectionKind.origin);
        plane.count(Counter.originsOpen, 1);
        plane.deadlines.set(connection, plane.snapshot.timeouts.connectMs);
        return;
      }
      verdict = connectFailure(connection);
      plane.count(verdict.counter, 1);
      waiting.tried = RoundRobin.markTried(waiting.tried, index);
    }
    this.#giveUp(waiting, verdict);
  }

  #connectFailed(waiting: Waiting, errno: number): void {
    const plane = this.#plane;
    const endpoint = waiting.cluster!.endpoints[waiting.endpointIndex]!;
    const failure = connectFailure(errno);
    plane.count(failure.counter, 1);
    if (endpoint.suspect(plane.nowS)) plane.notices.endpoint(endpoint.address, errno);
    waiting.tried = RoundRobin.markTried(waiting.tried, waiting.endpointIndex);
    this.#closeOrigin(waiting);
    this.#connect(waiting, failure);
  }

  #closeOrigin(waiting: Waiting): void {
    const plane = this.#plane;
    const { origin } = waiting;
    if (origin < 0) return;
    plane.deadlines.clear(origin);
    plane.count(Counter.originsOpen, -1);
    plane.kinds[origin] = ConnectionKind.none;
    this.#waiting[origin] = null;
    plane.port.close(origin);
    waiting.origin = -1;
  }

  /** No relay comes of this client. */
  #giveUp(waiting: Waiting, failure: Failure): void {
    const plane = this.#plane;
    const { client } = waiting;
    const endpoint = waiting.endpointIndex < 0 ? "" : waiting.cluster!.endpoints[waiting.endpointIndex]!.name;
    if (failure.phase !== "connect" || failure === Failures.noEndpoint) plane.count(failure.counter, 1);
    if (plane.notices.admits(failure.reason)) {
      plane.notices.failure({
        by: failure.by,
        phase: "connect",
        reason: failure.reason,
        status: 0,
        client: peerText(plane, client),
        endpoint,
        request: "",
        message: failure.text,
      });
    }
    this.#closeOrigin(waiting);
    plane.dropRanges(waiting.input);
    plane.admission.leave(client);
    plane.kinds[client] = ConnectionKind.none;
    this.#waiting[client] = null;
    plane.port.reset(client);
    this.#recycle(waiting);
  }

  #recycle(waiting: Waiting): void {
    waiting.client = -1;
    waiting.origin = -1;
    waiting.cluster = null;
    waiting.endpointIndex = -1;
    waiting.tried = 0;
    waiting.attempts = 0;
    waiting.ended = false;
    this.#free.push(waiting);
  }
}
