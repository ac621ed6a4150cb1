/**
 * The HTTP data plane of one worker: receives the engine's events and hands each to the side its connection
 * belongs to. What happens then is in `client-side.ts`, `origin-side.ts`, `exchanges.ts` and `relay.ts`.
 *
 * @hot
 */
import { EndpointRegistry } from "../balance/endpoint-registry.ts";
import { asciiBytes } from "../base/bytes.ts";
import { SEED_BYTES } from "../base/unguessable-ids.ts";
import type { Notices } from "../contract/notices.ts";
import type { Port } from "../contract/port.ts";
import type { Routing } from "../contract/routing.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { ClientSide } from "./client-side.ts";
import { Exchanges } from "./exchanges.ts";
import { Failures } from "./failure.ts";
import { OriginSide } from "./origin-side.ts";
import { ConnectionKind, EVICTIONS_PER_BATCH_MAX, Plane } from "./plane.ts";
import { Relays } from "./relay.ts";
import { RequestWriter } from "./request-writer.ts";
import { ResponseWriter } from "./response-writer.ts";
import { Router } from "./routing.ts";
import type { Session } from "./session.ts";

const CLIENT = ConnectionKind.client;
const ORIGIN = ConnectionKind.origin;
const RELAY = ConnectionKind.relay;
const EVICTIONS_MAX = EVICTIONS_PER_BATCH_MAX;

/**
 * `counters` is the worker's block of the shared segment; `epochOffsetMs` added to the engine's clock gives
 * Unix time; `seed` is `SEED_BYTES` bytes of true chance, of which no other worker has the same (without it,
 * request ids can be foretold).
 */
export function createHttpSession(
  port: Port,
  snapshot: Snapshot,
  counters: Float64Array,
  notices: Notices,
  epochOffsetMs: number,
  seed: Uint8Array = new Uint8Array(SEED_BYTES),
): Session {
  return new HttpSession(new Plane(port, snapshot, counters, notices, epochOffsetMs), seed);
}

class HttpSession implements Session {
  readonly #plane: Plane;
  readonly #clients: ClientSide;
  readonly #origins: OriginSide;
  readonly #exchanges: Exchanges;
  readonly #relays: Relays;
  readonly #registry = new EndpointRegistry();
  readonly #responses: ResponseWriter;
  readonly #seed: number;
  #router: Router | null = null;
  /** What `#router` was made of. */
  #routingText = "";
  /** `drain` was called, and waits for a batch: outside of one the clock stands still. */
  #drainPending = false;

  constructor(plane: Plane, seed: Uint8Array) {
    const via = asciiBytes(`Via: 1.1 ${plane.snapshot.viaName}\r\n`);
    const responses = new ResponseWriter(plane, via);
    this.#plane = plane;
    this.#responses = responses;
    this.#seed = new DataView(seed.buffer, seed.byteOffset).getInt32(0, true);
    this.#relays = new Relays(plane);
    this.#exchanges = new Exchanges(plane, new RequestWriter(plane, seed), responses, this.#relays);
    this.#clients = new ClientSide(plane, this.#exchanges, responses);
    this.#origins = new OriginSide(plane, this.#exchanges, responses);
    this.#exchanges.join(this.#clients, this.#origins);
    this.replaceSnapshot(plane.snapshot);
  }

  /** @cold */
  replaceSnapshot(snapshot: Snapshot): void {
    const { clusters, listed, removed } = this.#registry.update(
      snapshot,
      snapshot.limits.poolSizePerEndpoint,
    );
    for (const endpoint of removed) this.#origins.closeIdleOf(endpoint);
    for (const endpoint of listed) this.#origins.closeSurplusOf(endpoint);
    this.#plane.follow(snapshot);
    this.#followRouting(snapshot.routing);
    this.#exchanges.useClusters(clusters, this.#router);
  }

  /** Routes that stay keep their tables: most snapshots are about the health of backends. @cold */
  #followRouting(routing: Routing | undefined): void {
    const text = routing === undefined ? "" : JSON.stringify(routing);
    if (text === this.#routingText) return;
    this.#routingText = text;
    this.#router = routing === undefined ? null : new Router(this.#plane, routing, this.#seed);
    this.#responses.usePages(this.#router?.pages ?? null);
  }

  followClock(epochOffsetMs: number): void {
    this.#plane.epochOffsetMs = epochOffsetMs;
  }

  drain(): void {
    this.#plane.draining = true;
    this.#drainPending = true;
  }

  begin(nowMs: number): void {
    this.#plane.advance(nowMs);
    if (!this.#drainPending) return;
    this.#drainPending = false;
    this.#clients.drain();
  }

  accepted(connection: number, listener: number): void {
    this.#clients.accepted(connection, listener);
  }

  connected(connection: number): void {
    this.#origins.connected(this.#origins.legOf(connection));
  }

  received(connection: number, start: number, end: number): void {
    const kind = this.#plane.kinds[connection];
    if (kind === CLIENT) this.#clients.received(this.#clients.legOf(connection), start, end);
    else if (kind === ORIGIN) this.#origins.received(this.#origins.legOf(connection), start, end);
    else this.#relays.received(connection, start, end);
  }

  ended(connection: number): void {
    const kind = this.#plane.kinds[connection];
    if (kind === CLIENT) this.#clients.ended(this.#clients.legOf(connection));
    else if (kind === ORIGIN) this.#origins.ended(this.#origins.legOf(connection));
    else this.#relays.ended(connection);
  }

  drained(connection: number): void {
    const kind = this.#plane.kinds[connection];
    if (kind === CLIENT) this.#clients.drained(this.#clients.legOf(connection));
    else if (kind === ORIGIN) this.#origins.drained(this.#origins.legOf(connection));
    else this.#relays.drained(connection);
  }

  failed(connection: number, errno: number): void {
    const kind = this.#plane.kinds[connection];
    if (kind === CLIENT) this.#clients.failed(this.#clients.legOf(connection));
    else if (kind === ORIGIN) this.#origins.failed(this.#origins.legOf(connection), errno);
    else this.#relays.failed(connection);
  }

  end(): number {
    const plane = this.#plane;
    const { deadlines, requestDeadlines, kinds } = plane;
    for (let due = deadlines.takeDue(); due >= 0; due = deadlines.takeDue()) {
      const kind = kinds[due];
      if (kind === CLIENT) this.#clients.due(this.#clients.legOf(due));
      else if (kind === ORIGIN) this.#origins.due(this.#origins.legOf(due));
      else if (kind === RELAY) this.#relays.due(due);
    }
    if (requestDeadlines !== null) {
      for (let due = requestDeadlines.takeDue(); due >= 0; due = requestDeadlines.takeDue()) {
        this.#exchanges.fail(this.#clients.legOf(due).exchange!, Failures.requestDeadline);
      }
    }
    for (let count = 0; count < EVICTIONS_MAX; count++) {
      const stuck = plane.takeStandstill();
      if (stuck < 0) break;
      if (kinds[stuck] === CLIENT) this.#clients.evict(this.#clients.legOf(stuck));
      else this.#relays.evict(stuck);
    }
    plane.settle();
    return plane.waitMs();
  }
}
