/**
 * The HTTP data plane of one worker: receives the engine's events and hands each to the side its connection
 * belongs to. What happens then is in `client-side.ts`, `origin-side.ts`, `exchanges.ts` and `relay.ts`.
 *
 * @hot
 */
import { EndpointRegistry } from "../balance/endpoint-registry.ts";
import { SEED_BYTES } from "../base/unguessable-ids.ts";
import type { Chain, Interception } from "../contract/interception.ts";
import type { Notices } from "../contract/notices.ts";
import { LISTENERS_MAX, type Port } from "../contract/port.ts";
import type { SharedRates } from "../contract/rates.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { chainOf, readyPages } from "../route/route-plan.ts";
import { ClientSide } from "./client-side.ts";
import { Exchanges } from "./exchanges.ts";
import { Failures } from "./failure.ts";
import { OriginSide } from "./origin-side.ts";
import { ConnectionKind, DUE_PER_BATCH_MAX, EVICTIONS_PER_BATCH_MAX, Plane, sooner } from "./plane.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Relays } from "./relay.ts";
import { RequestWriter } from "./request-writer.ts";
import { ResponseWriter } from "./response-writer.ts";
import { Router } from "./routing.ts";
import type { Session } from "./session.ts";
import { reportTurnedAway } from "./turned-away.ts";

const CLIENT = ConnectionKind.client;
const ORIGIN = ConnectionKind.origin;
const RELAY = ConnectionKind.relay;
const EVICTIONS_MAX = EVICTIONS_PER_BATCH_MAX;
const DUE_MAX = DUE_PER_BATCH_MAX;
const NO_CHAINS: readonly Chain[] = [];

/**
 * `counters` is the worker's block of the shared segment; `epochOffsetMs` added to the engine's clock gives
 * Unix time; `seed` is `SEED_BYTES` bytes of true chance, of which no other worker has the same (without it,
 * request ids can be foretold); `interception` runs the hooks of the snapshot; `rates` is where workers count
 * against rate limits together (without it each counts for itself).
 */
export function createHttpSession(
  port: Port,
  snapshot: Snapshot,
  counters: Float64Array,
  notices: Notices,
  epochOffsetMs: number,
  seed: Uint8Array = new Uint8Array(SEED_BYTES),
  interception?: Interception,
  rates?: SharedRates,
): Session {
  const plane = new Plane(port, snapshot, counters, notices, epochOffsetMs);
  return new HttpSession(plane, seed, interception, rates);
}

class HttpSession implements Session {
  readonly #plane: Plane;
  readonly #clients: ClientSide;
  readonly #origins: OriginSide;
  readonly #exchanges: Exchanges;
  readonly #relays: Relays;
  readonly #registry = new EndpointRegistry();
  readonly #responses: ResponseWriter;
  /** Four numbers. */
  readonly #seed: Int32Array;
  readonly #shared: SharedRates | undefined;
  /** Made with the first rate limit. */
  #rates: RateLimiter | null = null;
  #router: Router | null = null;
  /** What `#router` and the error pages were made of. */
  #routingText = "";
  #chains: readonly Chain[] = NO_CHAINS;
  /** `drain` was called, and waits for a batch: outside of one the clock stands still. */
  #drainPending = false;
  /** Listeners whose clients are ended with the next batch. */
  readonly #cutPending = new Set<number>();

  constructor(
    plane: Plane,
    seed: Uint8Array,
    interception: Interception | undefined,
    shared: SharedRates | undefined,
  ) {
    const responses = new ResponseWriter(plane);
    this.#plane = plane;
    this.#responses = responses;
    this.#seed = new Int32Array(seed.slice().buffer);
    this.#shared = shared;
    this.#relays = new Relays(plane);
    this.#exchanges = new Exchanges(plane, new RequestWriter(plane, seed), responses, this.#relays);
    this.#clients = new ClientSide(plane, this.#exchanges, responses);
    this.#origins = new OriginSide(plane, this.#exchanges, responses);
    this.#exchanges.join(this.#clients, this.#origins);
    this.replaceSnapshot(plane.snapshot, interception);
  }

  /** @cold */
  replaceSnapshot(snapshot: Snapshot, interception?: Interception): void {
    const { poolSizePerEndpoint } = snapshot.limits;
    const { clusters, listed, removed } = this.#registry.update(snapshot, poolSizePerEndpoint);
    for (const endpoint of removed) this.#origins.closeIdle(endpoint, 0);
    for (const endpoint of listed) this.#origins.closeIdle(endpoint, poolSizePerEndpoint);
    this.#plane.follow(snapshot);
    this.#responses.useName(snapshot.viaName);
    const chains = interception?.chains ?? NO_CHAINS;
    this.#followRouting(snapshot, chains);
    this.#exchanges.use(clusters, this.#router, chainOf(chains, snapshot.chain), interception ?? null);
  }

  /** Routes that stay keep their tables: most snapshots are about the health of backends. @cold */
  #followRouting({ routing, errorPages = [] }: Snapshot, chains: readonly Chain[]): void {
    const text = JSON.stringify([routing, errorPages]);
    if (text === this.#routingText && areSame(chains, this.#chains)) return;
    this.#routingText = text;
    this.#chains = chains;
    const pages = readyPages(errorPages);
    if (routing?.rateLimits !== undefined) {
      this.#rates ??= new RateLimiter(this.#plane, this.#shared, this.#seed.subarray(2));
    }
    const number = this.#seed[0]!;
    this.#router =
      routing === undefined ? null : new Router(this.#plane, routing, pages, number, chains, this.#rates);
    this.#responses.usePages(pages);
  }

  followClock(epochOffsetMs: number): void {
    this.#plane.epochOffsetMs = epochOffsetMs;
  }

  drain(): void {
    this.#plane.draining = true;
    this.#drainPending = true;
  }

  /** @cold */
  drainListener(listener: number): void {
    this.#plane.setLeaving(listener, true);
    this.#drainPending = true;
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
      if (kinds[connection] === CLIENT) this.#clients.cutLate(this.#clients.legOf(connection));
      else if (kinds[connection] === RELAY && this.#relays.isClient(connection))
        this.#relays.cutLate(connection);
    }
    this.#cutPending.clear();
  }

  begin(nowMs: number): void {
    this.#plane.advance(nowMs);
    this.#exchanges.interceptions.beginBatch();
    if (this.#cutPending.size > 0) this.#cut();
    if (!this.#drainPending) return;
    this.#drainPending = false;
    this.#clients.drain();
  }

  accepted(connection: number, listener: number): void {
    this.#clients.accepted(connection, listener);
  }

  /** @cold */
  turnedAway(count: number): void {
    reportTurnedAway(this.#plane, count);
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

  /** The fullest pools give up `count` idle connections, or all they have. @cold */
  #thinPools(count: number): void {
    for (let left = count; left > 0; ) {
      const richest = this.#registry.richest();
      if (richest === undefined || richest.idleCount === 0) return;
      const kept = Math.max(0, richest.idleCount - left);
      left -= richest.idleCount - kept;
      this.#origins.closeIdle(richest, kept);
    }
  }

  end(): number {
    const plane = this.#plane;
    const { deadlines, requestDeadlines, kinds } = plane;
    for (let count = 0; count < DUE_MAX; count++) {
      const due = deadlines.takeDue();
      if (due < 0) break;
      const kind = kinds[due];
      if (kind === CLIENT) this.#clients.due(this.#clients.legOf(due));
      else if (kind === ORIGIN) this.#origins.due(this.#origins.legOf(due));
      else if (kind === RELAY) this.#relays.due(due);
    }
    if (requestDeadlines !== null) {
      for (let count = 0; count < DUE_MAX; count++) {
        const due = requestDeadlines.takeDue();
        if (due < 0) break;
        this.#exchanges.fail(this.#clients.legOf(due).exchange!, Failures.requestDeadline);
      }
    }
    for (let count = 0; count < EVICTIONS_MAX; count++) {
      const stuck = plane.takeStandstill();
      if (stuck < 0) break;
      if (kinds[stuck] === CLIENT) this.#clients.evict(this.#clients.legOf(stuck));
      else this.#relays.evict(stuck);
    }
    const { attempts } = this.#exchanges;
    // First those who can use an idle connection themselves.
    if (attempts.waitingCount > 0) attempts.retry();
    const excessIdle = Math.max(plane.excessIdle(), attempts.takeShort(DUE_MAX));
    if (excessIdle > 0) this.#thinPools(Math.min(excessIdle, DUE_MAX));
    this.#exchanges.interceptions.endBatch();
    plane.settle();
    // Asked for while a batch was open: the next one must come.
    const isOrdered = this.#drainPending || this.#cutPending.size > 0;
    return isOrdered ? 0 : sooner(plane.waitMs(), attempts.retryMs());
  }
}

function areSame(ones: readonly Chain[], others: readonly Chain[]): boolean {
  return ones.length === others.length && ones.every((one, i) => one === others[i]);
}
