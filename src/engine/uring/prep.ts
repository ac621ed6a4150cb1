/**
 * Submission queue entries, written into ring memory. Named after liburing's functions.
 *
 * An entry is 16 words (`struct io_uring_sqe`, 64 bytes): 0 opcode, flags, ioprio · 1 fd · 2–3 off · 4–5 addr
 * · 6 len · 7 flags of the operation · 8–9 user_data · 10 buffer group · 11 file index. Words 12–15 stay 0.
 * Entries are reused, so every word that any of these functions sets is set by all of them.
 *
 * `at` is the entry's first word in `words`. user_data carries `index` in its low half and `kind` in its high
 * half.
 *
 * @hot
 */
const OP_POLL_ADD = 6;
const OP_SENDMSG = 9;
const OP_ACCEPT = 13;
const OP_ASYNC_CANCEL = 14;
const OP_CONNECT = 16;
const OP_CLOSE = 19;
const OP_SEND = 26;
const OP_RECV = 27;

const SQE_BUFFER_SELECT = 1 << (8 + 5);
const SQE_CQE_SKIP_SUCCESS = 1 << (8 + 6);
const IOPRIO_SHIFT = 16;
const ACCEPT_MULTISHOT = 1 << IOPRIO_SHIFT;
const RECV_MULTISHOT = 2 << IOPRIO_SHIFT;
const RECVSEND_BUNDLE = 16 << IOPRIO_SHIFT;

const POLLIN = 1;
const POLLERR = 8;
const POLLHUP = 16;
/** The peer has sent FIN. */
export const POLLRDHUP = 0x2000;
const POLL_ADD_MULTI = 1;
const SOCK_CLOEXEC = 0x80000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
/** A short send counts as a failure. */
const MSG_WAITALL = 0x100;
const CANCEL_ALL = 1;
const CANCEL_ANY = 4;
const TWO_POW_32 = 0x1_0000_0000;

/** Accepts one connection, or with `multishot` one after the other until it ends without `CqeFlag.more`. */
export function prepAccept(
  words: Int32Array,
  at: number,
  fd: number,
  multishot: boolean,
  kind: number,
  index: number,
): void {
  prep(words, at, multishot ? OP_ACCEPT | ACCEPT_MULTISHOT : OP_ACCEPT, fd, 0, 0, SOCK_CLOEXEC, kind, index);
}

/** Receives into buffers of group 0, again and again until it ends without `CqeFlag.more`. */
export function prepRecvMultishot(
  words: Int32Array,
  at: number,
  fd: number,
  kind: number,
  index: number,
): void {
  prep(words, at, OP_RECV | SQE_BUFFER_SELECT | RECV_MULTISHOT, fd, 0, 0, 0, kind, index);
}

/** Receives once: into one buffer of group 0, or as a bundle (6.10) of at most `bytesMax` into several. */
export function prepRecv(
  words: Int32Array,
  at: number,
  fd: number,
  bytesMax: number,
  bundle: boolean,
  kind: number,
  index: number,
): void {
  const head = OP_RECV | SQE_BUFFER_SELECT;
  prep(words, at, bundle ? head | RECVSEND_BUNDLE : head, fd, 0, bytesMax, 0, kind, index);
}

/** Sends the `bytes` at `address`. */
export function prepSend(
  words: Int32Array,
  at: number,
  fd: number,
  address: number,
  bytes: number,
  kind: number,
  index: number,
): void {
  prep(words, at, OP_SEND, fd, address, bytes, MSG_NOSIGNAL, kind, index);
}

/**
 * Sends what the `struct msghdr` at `address` names; the structure may be reused once the entry is submitted.
 */
export function prepSendmsg(
  words: Int32Array,
  at: number,
  fd: number,
  address: number,
  kind: number,
  index: number,
): void {
  prep(words, at, OP_SENDMSG, fd, address, 1, MSG_NOSIGNAL, kind, index);
}

/**
 * Makes the send or message at `at` one of `kind` that is done when it has been handed over: either all of it
 * was taken and nothing is told, or the completion tells how many bytes were, or why none (6.1).
 */
export function prepImmediate(words: Int32Array, at: number, kind: number): void {
  words[at] = words[at]! | SQE_CQE_SKIP_SUCCESS;
  words[at + 7] = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
  words[at + 9] = kind;
}

/** Connects to the `struct sockaddr` of `bytes` at `address`. */
export function prepConnect(
  words: Int32Array,
  at: number,
  fd: number,
  address: number,
  bytes: number,
  kind: number,
  index: number,
): void {
  prep(words, at, OP_CONNECT, fd, address, 0, 0, kind, index);
  words[at + 2] = bytes;
}

/** Tells once when `fd` is readable. */
export function prepPollIn(words: Int32Array, at: number, fd: number, kind: number, index: number): void {
  prep(words, at, OP_POLL_ADD, fd, 0, 0, POLLIN, kind, index);
}

/**
 * Tells when the socket `fd` breaks or its peer ends, each time anew until it ends without `CqeFlag.more`: as
 * poll events (`POLLERR`, `POLLHUP`, `POLLRDHUP`), not of bytes.
 */
export function prepPollBreak(words: Int32Array, at: number, fd: number, kind: number, index: number): void {
  prep(words, at, OP_POLL_ADD, fd, 0, POLL_ADD_MULTI, POLLERR | POLLHUP | POLLRDHUP, kind, index);
}

/**
 * Ends the operation whose user_data is (`targetKind`, `targetIndex`). Only a failure is told, as (`kind`,
 * 0).
 */
export function prepCancel(
  words: Int32Array,
  at: number,
  targetKind: number,
  targetIndex: number,
  kind: number,
): void {
  prep(words, at, OP_ASYNC_CANCEL | SQE_CQE_SKIP_SUCCESS, -1, 0, 0, 0, kind, 0);
  words[at + 4] = targetIndex;
  words[at + 5] = targetKind;
}

/** Ends every operation of the ring. */
export function prepCancelAll(words: Int32Array, at: number, kind: number): void {
  prep(words, at, OP_ASYNC_CANCEL | SQE_CQE_SKIP_SUCCESS, -1, 0, 0, CANCEL_ALL | CANCEL_ANY, kind, 0);
}

/** Closes `fd`. Entries in front of it still find it open. */
export function prepClose(words: Int32Array, at: number, fd: number, kind: number): void {
  prep(words, at, OP_CLOSE | SQE_CQE_SKIP_SUCCESS, fd, 0, 0, 0, kind, 0);
}

function prep(
  words: Int32Array,
  at: number,
  head: number,
  fd: number,
  address: number,
  length: number,
  flags: number,
  kind: number,
  index: number,
): void {
  words[at] = head;
  words[at + 1] = fd;
  words[at + 2] = 0;
  words[at + 3] = 0;
  words[at + 4] = address | 0;
  words[at + 5] = (address / TWO_POW_32) | 0;
  words[at + 6] = length;
  words[at + 7] = flags;
  words[at + 8] = index;
  words[at + 9] = kind;
  words[at + 10] = 0;
  words[at + 11] = 0;
}
