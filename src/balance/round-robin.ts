/**
 * Chooses the endpoint for an exchange: each in turn, those that active checks call down left out, those that
 * this worker could not reach lately only when nothing better is left.
 *
 * @hot
 */
import type { EndpointState } from "./endpoint.ts";

/** Endpoints that one exchange can remember as tried. */
const TRIED_MAX = 31;

export class RoundRobin {
  /** Of its cluster. */
  readonly name: string;
  readonly endpoints: readonly EndpointState[];
  #cursor = 0;

  /**
   * `cursor`: which endpoint begins; workers start apart, so that few requests do not all meet the same
   * backend.
   */
  constructor(endpoints: readonly EndpointState[], cursor: number, name = "") {
    this.name = name;
    this.endpoints = endpoints;
    this.#cursor = endpoints.length === 0 ? 0 : cursor % endpoints.length;
  }

  /**
   * Index of the next endpoint in second `nowS`, or -1. `tried`: bit i set means endpoint i failed this
   * exchange before (i < 31).
   */
  next(nowS: number, tried: number): number {
    const count = this.endpoints.length;
    let suspect = -1;
    for (let step = 0; step < count; step++) {
      const index = this.#cursor;
      this.#cursor = index + 1 === count ? 0 : index + 1;
      const endpoint = this.endpoints[index]!;
      if (!endpoint.healthy) continue;
      if (index < TRIED_MAX && (tried & (1 << index)) !== 0) continue;
      if (endpoint.suspectUntilS < nowS) return index;
      if (suspect < 0) suspect = index;
    }
    return suspect;
  }

  /** `tried` with `index` added. */
  static markTried(tried: number, index: number): number {
    return index < TRIED_MAX ? tried | (1 << index) : tried;
  }
}
