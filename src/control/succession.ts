/**
 * What a proxy and the one that takes over from it say to each other, over the IPC channel that the new one
 * is started with. Plain JSON, since both may be of different versions.
 */
import type { InheritedListener } from "./inheritance.ts";

/** In the environment of a process that is to take over: the number of the process that it takes over from. */
export const PREDECESSOR_VARIABLE = "HP_PREDECESSOR";

/** The first descriptor that is handed over: 0 to 2 are standard, 3 is the IPC channel. */
export const FIRST_HANDED_FD = 4;

/** All that is handed over. Descriptors are the numbers that they have in the new process. */
export interface Heritage {
  readonly listeners: readonly InheritedListener[];
  readonly admin: InheritedAdmin | null;
  /** The configuration that the first of them found in the working directory; "" for none. */
  readonly begunWith?: string;
}

/** The socket of an admin listener, and where it was wanted. */
export interface InheritedAdmin {
  readonly host: string;
  readonly port: number;
  readonly fd: number;
}

export type ToSuccessor =
  /** The first message, once. */
  | ({ readonly type: "heritage" } & Heritage)
  /** After `up`: all is yours from now on; answered by `settled`. */
  | { readonly type: "yours" }
  /** It came to nothing: end, without a trace. */
  | { readonly type: "abort" };

export type ToPredecessor =
  /** All workers accept, from these of the handed descriptors, and from sockets of their own. */
  | { readonly type: "up"; readonly adopted: readonly number[] }
  /** It cannot take over; it ends after this. */
  | { readonly type: "failed"; readonly reasons: readonly string[] }
  /** It is where the old one was, also for who asks over the control socket. */
  | { readonly type: "settled" };
