/**
 * Reading accepted sockets into memory of ours.
 *
 * Node offers `onread` (its documented way to read without allocating 64 KiB each time) to outgoing sockets
 * only. An accepted socket gets it by being made again around the same handle. `handle` is an option that
 * Node's own server uses, and no documentation promises it: where anything about it looks unfamiliar, the
 * engine goes on with `data` events, which costs about a tenth more CPU and nothing else.
 */
import { Socket, type SocketConstructorOpts } from "node:net";

/** What a socket that reads into the landing buffer is made with. */
export type LandingOptions = SocketConstructorOpts & { highWaterMark: number };

type HandleOwner = { _handle?: { useUserBuffer?: unknown; reading?: unknown } | null };

/**
 * The same connection as a socket made with `options`; it reads from now on, and `accepted` must not be used
 * any more. Null when this Node does not allow it; `accepted` is untouched then.
 */
export function reopenForLanding(accepted: Socket, options: LandingOptions): Socket | null {
  const handle = (accepted as unknown as HandleOwner)._handle;
  if (handle === null || handle === undefined || typeof handle.useUserBuffer !== "function") return null;
  return new Socket({ ...options, handle } as unknown as SocketConstructorOpts);
}
