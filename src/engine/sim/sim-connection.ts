/** What the simulated engine knows of one connection. */
import { Errno } from "../../contract/errno.ts";
import type { WireEnd } from "./wire.ts";

export interface SimConnection {
  readonly number: number;
  readonly end: WireEnd;
  isConnected: boolean;
  isPaused: boolean;
  /** While it is paused. */
  isWatched: boolean;
  /** The same of the peer's FIN. */
  isEndWatched: boolean;
  isBackground: boolean;
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
    isEndWatched: false,
    isBackground: false,
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

/** What broke a connection that is watched, as a negative errno; 0: nothing. */
export function whatBroke({ end, isWatched, isEndWatched }: SimConnection): number {
  if (!isWatched || end.errno !== 0) return isWatched ? end.errno : 0;
  return isEndWatched && end.hasFin ? Errno.ECONNRESET : 0;
}
