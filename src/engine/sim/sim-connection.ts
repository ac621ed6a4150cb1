/** What the simulated engine knows of one connection. */
import type { WireEnd } from "./wire.ts";

export interface SimConnection {
  readonly number: number;
  readonly end: WireEnd;
  isConnected: boolean;
  isPaused: boolean;
  /** While it is paused. */
  isWatched: boolean;
  isGivenUp: boolean;
  hasEnded: boolean;
  hasFailed: boolean;
  isShutdown: boolean;
  wantsDrained: boolean;
  isReady: boolean;
  /** What a write answered; 0 while all is well. */
  writeErrno: number;
  queuedBytes: number;
  /** Ranges: start, end, start, end, … */
  readonly ranges: number[];
}

export function newSimConnection(number: number, end: WireEnd): SimConnection {
  return {
    number,
    end,
    isConnected: false,
    isPaused: false,
    isWatched: false,
    isGivenUp: false,
    hasEnded: false,
    hasFailed: false,
    isShutdown: false,
    wantsDrained: false,
    isReady: false,
    writeErrno: 0,
    queuedBytes: 0,
    ranges: [],
  };
}
