/**
 * What one worker knows of one backend address: what the snapshot says, what this worker has seen, and its
 * idle connections. Outlives snapshots: its identity is the address.
 *
 * @hot
 */
import { assert } from "../base/assert.ts";

/** How long a worker avoids an endpoint that refused a connection, unless no other is left. */
const SUSPECT_S = 1;
/** Room for idle connections that an endpoint has at first: most never need as much as their pool may hold. */
const ROOM_AT_FIRST = 16;

export class EndpointState {
  readonly address: string;
  /** As configured, for people. */
  name: string;
  /** What active health checks say. */
  healthy: boolean;
  /** In the current snapshot. A removed endpoint keeps its record until its last connection is gone. */
  listed = true;
  /** Connecting failed lately: not chosen up to this second while another will do. -1: not suspect. */
  suspectUntilS = -1;
  /** Idle connections, the last used on top: it is the warmest, and the rest may age out. */
  #idle: Int32Array;
  #idleCount = 0;
  #poolSize: number;

  constructor(address: string, name: string, healthy: boolean, poolSize: number) {
    this.address = address;
    this.name = name;
    this.healthy = healthy;
    this.#poolSize = poolSize;
    this.#idle = new Int32Array(Math.min(poolSize, ROOM_AT_FIRST));
  }

  /** From now on at most `poolSize` connections are kept; the caller closes what is beyond. */
  limitPool(poolSize: number): void {
    this.#poolSize = poolSize;
  }

  /** An idle connection, which stays; of `index` 0 is the one that was used longest ago. */
  idleAt(index: number): number {
    assert(index < this.#idleCount, "it is in the pool");
    return this.#idle[index]!;
  }

  /** The `count` connections used longest ago leave the pool. */
  dropOldest(count: number): void {
    this.#idle.copyWithin(0, count, this.#idleCount);
    this.#idleCount -= count;
  }

  get idleCount(): number {
    return this.#idleCount;
  }

  /** Keeps `connection` for reuse. `false`: the pool is full, the caller closes it. */
  park(connection: number): boolean {
    if (this.#idleCount >= this.#poolSize) return false;
    if (this.#idleCount === this.#idle.length) this.#makeRoom();
    this.#idle[this.#idleCount++] = connection;
    return true;
  }

  /** The idle connection that was used last, which stays; or -1. */
  lastIdle(): number {
    return this.#idleCount === 0 ? -1 : this.#idle[this.#idleCount - 1]!;
  }

  /** The idle connection that was used last, or -1. */
  takeIdle(): number {
    return this.#idleCount === 0 ? -1 : this.#idle[--this.#idleCount]!;
  }

  /** An idle connection has died or aged: it leaves the pool. */
  removeIdle(connection: number): void {
    const last = this.#idleCount - 1;
    let index = last;
    while (index >= 0 && this.#idle[index] !== connection) index--;
    assert(index >= 0, "an idle connection stands in its endpoint's pool");
    this.#idle.copyWithin(index, index + 1, this.#idleCount);
    this.#idleCount = last;
  }

  /** Connecting has failed in second `nowS` of the session's clock. `true` when this is news. */
  suspect(nowS: number): boolean {
    const news = this.suspectUntilS < 0;
    this.suspectUntilS = nowS + SUSPECT_S;
    return news;
  }

  /** A connection stands. `true` when that is news. */
  trust(): boolean {
    const news = this.suspectUntilS >= 0;
    this.suspectUntilS = -1;
    return news;
  }

  /** @cold */
  #makeRoom(): void {
    const roomier = new Int32Array(Math.min(this.#poolSize, 2 * this.#idle.length + ROOM_AT_FIRST));
    roomier.set(this.#idle);
    this.#idle = roomier;
  }
}
