/**
 * Which backend gets a request, and what is tried again when that one cannot be had or is lost.
 *
 * Strategy: as long as nothing was said to the client, a request is repeated when nothing of it was sent, or when it
 * is idempotent (RFC 9110 §9.2.2) and lies in its slot whole; never otherwise. Where the worker has no connection
 * left to give (numbers or descriptors have run out), which is nobody's fault, the request waits for one: idle
 * connections to others go meanwhile, and those that are closed come back some batches later.
 *
 * @hot
 */
import type { EndpointState } from "../balance/endpoint.ts";
import { RoundRobin } from "../balance/round-robin.ts";
import { Counter } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import type { Exchange } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { connectFailure, type Failure, Failures, isShortage } from "./failure.ts";
import { DUE_PER_BATCH_MAX, type Plane } from "./plane.ts";
import type { OriginProtocol } from "./protocols.ts";
import { isIdempotent } from "./reuse.ts";
import { attemptsMaxOf } from "./routing.ts";

/** How long a request waits for a connection that the worker does not have, unless connecting may take less. */
const SHORTAGE_MS_MAX = 1000;
/** After so long those who wait try again: that a number has come back is not told. */
const SHORTAGE_RETRY_MS = 2;
/** After so long idle connections are asked for again, for those who wait still: others have had the numbers. */
const SHORTAGE_ASK_MS = 20;
/** Whose time is over, in one batch: they may be thousands. */
const LATE_MAX = DUE_PER_BATCH_MAX;

/** A place among those who wait; null: it is given up. */
export interface Waiter {
  exchange: Exchange | null;
}

export class Attempts {
  readonly #plane: Plane;
  readonly #exchanges: Exchanges;
  #origins!: OriginProtocol;
  /** By cluster index of the snapshot. */
  #clusters: readonly RoundRobin[] = [];
  /** Those that wait for a connection, oldest first. */
  #waiters: Waiter[] = [];
  #waitingCount = 0;
  /** Of them, those for whom no idle connection was asked to go yet. */
  #unaskedCount = 0;
  #askAgainMs = 0;

  constructor(plane: Plane, exchanges: Exchanges) {
    this.#plane = plane;
    this.#exchanges = exchanges;
  }

  join(origins: OriginProtocol): void {
    this.#origins = origins;
  }

  /** Exchanges that begin, or are held, choose from these from now on. */
  use(clusters: readonly RoundRobin[]): void {
    this.#clusters = clusters;
  }

  /** Sends the request to the next endpoint that may have it; `failure` is the answer when there is none. */
  dispatch(exchange: Exchange, failure: Failure): void {
    const { nowS } = this.#plane;
    const cluster = exchange.cluster!;
    const attemptsMax = attemptsMaxOf(exchange.plan);
    const { attempts, tried } = exchange;
    let verdict = failure;
    while (exchange.attempts < attemptsMax) {
      const index = cluster.next(nowS, exchange.tried);
      if (index < 0) break;
      exchange.attempts++;
      exchange.endpointIndex = index;
      if (exchange.intercepted !== null && !this.#exchanges.interceptions.upstream(exchange, verdict)) return;
      const errno = this.#origins.open(exchange, cluster.endpoints[index]!);
      if (errno === 0) return;
      verdict = this.#notOpened(exchange, errno);
    }
    if (verdict === Failures.noConnection && exchange.endpointIndex >= 0 && this.#waits(exchange)) {
      // What it waits for is one attempt, wherever else there was no connection either.
      exchange.attempts = Math.min(exchange.attempts, attempts + 1);
      exchange.tried = tried;
      return;
    }
    this.#exchanges.fail(exchange, verdict);
  }

  /** Sends the request to the endpoint that was chosen some time ago, or to another; `failure` as in `dispatch`. */
  goOn(exchange: Exchange, failure: Failure): void {
    if (!isThere(exchange)) {
      this.#chooseAgain(exchange, failure);
      return;
    }
    const errno = this.#origins.open(exchange, endpointOf(exchange));
    if (errno === 0 || (isShortage(errno) && this.#waits(exchange))) return;
    this.dispatch(exchange, this.#notOpened(exchange, errno));
  }

  /** The chosen endpoint has gone meanwhile, and nothing was sent to it: that was no attempt. @cold */
  #chooseAgain(exchange: Exchange, failure: Failure): void {
    exchange.attempts--;
    exchange.tried = RoundRobin.markTried(exchange.tried, exchange.endpointIndex);
    this.renewCluster(exchange);
    this.dispatch(exchange, failure);
  }

  /** Connecting for the exchange failed: nothing was sent, any method may go elsewhere. */
  connectFailed(exchange: Exchange, errno: number): void {
    exchange.origin = null;
    this.dispatch(exchange, this.#notOpened(exchange, errno));
  }

  /**
   * The connection broke before a response head came. `reused`: it had served before, so its endpoint may be
   * fine. `unsent`: it broke before anything of the request left.
   */
  originLost(exchange: Exchange, failure: Failure, reused: boolean, unsent: boolean): void {
    exchange.origin = null;
    const complete = exchange.wholeInSlot || !exchange.bodySent;
    const repeatable = complete && (unsent || isIdempotent(exchange.method));
    if (!repeatable || exchange.attempts >= attemptsMaxOf(exchange.plan)) {
      this.#exchanges.fail(exchange, failure);
      return;
    }
    this.#plane.count(Counter.retries, 1);
    // An idle connection dies when its backend restarts or grows impatient; the next in turn comes first
    // anyway.
    if (!reused && exchange.cluster!.endpoints.length > 1) {
      exchange.tried = RoundRobin.markTried(exchange.tried, exchange.endpointIndex);
    }
    exchange.freshOnly = true;
    // Its body waits again for a connection.
    if (!exchange.wholeInSlot) this.#exchanges.blockClient(exchange);
    this.dispatch(exchange, failure);
  }

  /** A snapshot that came while the exchange was held may have other endpoints. @cold */
  renewCluster(exchange: Exchange): void {
    const old = exchange.cluster!;
    const renewed = this.#clusters.find(({ name }) => name === old.name);
    if (renewed === undefined || renewed === old) return;
    exchange.cluster = renewed;
    exchange.endpointIndex = -1;
    exchange.tried = 0;
  }

  /** Requests that wait for a connection. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** How many idle connections, `max` at most, are to go now for those who wait. */
  takeShort(max: number): number {
    if (this.#waitingCount === 0) return 0;
    const { nowMs } = this.#plane;
    if (nowMs >= this.#askAgainMs) this.#unaskedCount = this.#waitingCount;
    const count = Math.min(this.#unaskedCount, this.#waitingCount, max);
    this.#unaskedCount -= count;
    if (count > 0) this.#askAgainMs = nowMs + SHORTAGE_ASK_MS;
    return count;
  }

  /** In how many milliseconds `retry` is due; -1: nobody waits. */
  retryMs(): number {
    return this.#waitingCount === 0 ? -1 : SHORTAGE_RETRY_MS;
  }

  /**
   * Those who wait try again, oldest first. Behind the first for whom there is no connection others only look for idle
   * ones, and those whose time is over are told. @cold
   */
  retry(): void {
    const { nowMs } = this.#plane;
    const waiters = this.#waiters;
    const kept: Waiter[] = [];
    let isShort = false;
    let lateCount = 0;
    // Who begins to wait meanwhile stands behind them.
    this.#waiters = [];
    for (const waiter of waiters) {
      const { exchange } = waiter;
      if (exchange === null) continue;
      if (!isThere(exchange)) {
        this.forget(exchange);
        this.#chooseAgain(exchange, Failures.noEndpoint);
        continue;
      }
      let errno = 0;
      if (!this.#reuses(exchange)) {
        errno = isShort ? Errno.EMFILE : this.#origins.open(exchange, endpointOf(exchange));
      }
      if (errno === 0) {
        // The exchange may be over by now, and have become another.
        if (waiter.exchange !== null) this.forget(exchange);
        continue;
      }
      isShort ||= isShortage(errno);
      const isOver = !isShortage(errno) || (nowMs >= exchange.shortUntilMs && lateCount++ < LATE_MAX);
      if (!isOver) kept.push(waiter);
      else {
        this.forget(exchange);
        this.dispatch(exchange, this.#notOpened(exchange, errno));
      }
    }
    this.#waiters = kept.concat(this.#waiters);
  }

  /** The exchange waits no more. */
  forget(exchange: Exchange): void {
    const { waiter } = exchange;
    if (waiter === null) return;
    waiter.exchange = null;
    exchange.waiter = null;
    if (--this.#waitingCount === 0) this.#waiters = [];
  }

  /** One who waits has an idle connection: to the chosen endpoint, or to any where no hook was told of one. @cold */
  #reuses(exchange: Exchange): boolean {
    const { endpoints } = exchange.cluster!;
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[i]!;
      if (i !== exchange.endpointIndex && exchange.intercepted !== null) continue;
      if (endpoint.idleCount === 0 || !endpoint.listed || !endpoint.healthy) continue;
      const chosen = exchange.endpointIndex;
      exchange.endpointIndex = i;
      if (this.#origins.reuse(exchange, endpoint)) return true;
      exchange.endpointIndex = chosen;
    }
    return false;
  }

  /** Whether `exchange` waits for a connection, because the worker has none left. @cold */
  #waits(exchange: Exchange): boolean {
    const { nowMs } = this.#plane;
    if (exchange.shortUntilMs < 0) {
      exchange.shortUntilMs = nowMs + Math.min(SHORTAGE_MS_MAX, exchange.timeouts.connectMs);
    }
    if (nowMs >= exchange.shortUntilMs) return false;
    exchange.waiter = { exchange };
    this.#waiters.push(exchange.waiter);
    this.#waitingCount++;
    this.#unaskedCount++;
    return true;
  }

  /** The endpoint in use could not be connected to; returns what that means. */
  #notOpened(exchange: Exchange, errno: number): Failure {
    const failure = connectFailure(errno);
    // What the worker itself lacks is counted where the exchange fails for it.
    if (failure !== Failures.noConnection) this.#plane.count(failure.counter, 1);
    exchange.tried = RoundRobin.markTried(exchange.tried, exchange.endpointIndex);
    return failure;
  }
}

/** The endpoint that was chosen. */
function endpointOf({ cluster, endpointIndex }: Exchange): EndpointState {
  return cluster!.endpoints[endpointIndex]!;
}

/** Whether the endpoint that was chosen may be used still. */
function isThere(exchange: Exchange): boolean {
  const { listed, healthy } = endpointOf(exchange);
  return listed && healthy;
}
