/**
 * Listening sockets and the synchronous calls on sockets that engines share. Results: 0 or more, or a
 * negative errno.
 */
import { sharedScratch } from "./memory.ts";
import { AF_INET6, decodeAddress, encodeHost, SOCKADDR_BYTES, writeHost } from "./sockaddr.ts";
import { loadSyscalls } from "./syscalls.ts";

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_NOTSENT_LOWAT = 25;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SO_ATTACH_FILTER = 26;
const SHUT_WR = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
/**
 * What the kernel takes for a client beyond what may be sent to it now. Its own bound is 4 MiB, and thousands
 * of clients that read nothing would use up the memory that it has for all of TCP. This is enough: whoever
 * sends is woken when half of it has left.
 */
const UNSENT_BYTES_MAX = 131_072;
/** The kernel cuts it to `net.core.somaxconn`. */
const BACKLOG = 4096;
const TWO_POW_32 = 0x1_0000_0000;
/** Where a filter's instructions lie in the scratch page, in words, behind their `struct sock_fprog`. */
const FILTER_AT = 8;
/**
 * Classic BPF, two words an instruction (`struct sock_filter`: code, jumps if true and false; operand). The
 * packet begins with its TCP header: byte 13 holds the flags.
 */
const DROP_SYN = Int32Array.of(
  ...[0x30, 13], // A = byte 13
  ...[0x54, 0x12], // A &= SYN | ACK
  ...[0x15 | (1 << 24), 0x02], // if A is SYN alone go on, else skip one
  ...[0x06, 0], // take nothing: drop
  ...[0x06, -1], // take all
);
/**
 * Where an address and its length lie in the scratch page; in front of them there is room for socket options.
 */
const ADDRESS_AT = 256;
const LENGTH_AT = ADDRESS_AT + SOCKADDR_BYTES;

/** An IP address without brackets, and a port; 0 lets the kernel choose. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Opens a listening TCP socket: non-blocking, close-on-exec, with the options of `prepareListener`, IPv6 open
 * to IPv4 too. Returns the descriptor; throws an `Error` with the field `code` (`EADDRINUSE`, …) where the kernel
 * refuses.
 */
export function openListener(where: SocketAddress, how: { readonly reusePort: boolean }): number {
  const { listen } = loadSyscalls();
  const fd = openBound(where, how.reusePort, false);
  if (listen(fd, BACKLOG) < 0) throw closedFor(fd, "listen", where);
  return fd;
}

/**
 * Throws as `openListener` does where somebody else listens there, whoever may share the port. `ipv6Only`: what is IPv4
 * is not asked for. Nobody can connect meanwhile: the socket that finds out is bound, and never listens.
 */
export function assertUnbound(where: SocketAddress, ipv6Only: boolean): void {
  const { close } = loadSyscalls();
  close(openBound(where, false, ipv6Only));
}

function openBound(where: SocketAddress, reusePort: boolean, ipv6Only: boolean): number {
  const calls = loadSyscalls();
  const scratch = sharedScratch();
  const length = encodeHost(where.host, where.port, scratch.bytes, ADDRESS_AT);
  if (length < 0) throw listenError("EINVAL", "not an IP address", where);
  const family = scratch.bytes[ADDRESS_AT]!;
  const fd = calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw listenError(codeOf(calls.errno()), "socket", where);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  prepareListener(fd);
  if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0);
  if (reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (calls.bind(fd, scratch.address + ADDRESS_AT, length) < 0) throw closedFor(fd, "bind", where);
  return fd;
}

/** Closes `fd`, of which the kernel has just refused `step`; returns what is to be thrown. */
function closedFor(fd: number, step: string, where: SocketAddress): Error {
  const { close, errno } = loadSyscalls();
  const number = errno();
  close(fd);
  return listenError(codeOf(number), step, where);
}

/**
 * Address that a listening descriptor is bound to, as `Port.connect` takes it. Throws where it is not a bound
 * socket.
 */
export function listenerAddress(fd: number): string {
  const calls = loadSyscalls();
  const scratch = sharedScratch();
  scratch.words[LENGTH_AT >> 2] = SOCKADDR_BYTES;
  if (calls.getsockname(fd, scratch.address + ADDRESS_AT, scratch.address + LENGTH_AT) < 0) {
    throw new Error(`getsockname of descriptor ${fd}: errno ${calls.errno()}`);
  }
  return decodeAddress(scratch.bytes, ADDRESS_AT, scratch.words[LENGTH_AT >> 2]!);
}

/** Whether `fd` is a stream socket that listens; false for whatever else it is. */
export function isListening(fd: number): boolean {
  return (
    readOption(fd, SOL_SOCKET, SO_ACCEPTCONN) === 1 && readOption(fd, SOL_SOCKET, SO_TYPE) === SOCK_STREAM
  );
}

/** A new stream socket, close-on-exec, with TCP_NODELAY where it is TCP; `blocking` as io_uring wants it (it
 *  polls by itself and takes O_NONBLOCK as a wish to see EAGAIN). */
export function openStream(family: number, blocking: boolean): number {
  const calls = loadSyscalls();
  const fd = calls.socket(family, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) return -calls.errno();
  setNoDelay(fd);
  return fd;
}

/** Options that accepted sockets inherit: no delay, and few bytes that the kernel holds unsent. */
export function prepareListener(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX);
}

/** TCP_NODELAY; what is not TCP refuses it, and that is no error. */
function setNoDelay(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * Sets or clears O_NONBLOCK. It belongs to the open description: whoever shares the descriptor sees it too.
 */
export function setBlocking(fd: number, blocking: boolean): number {
  const calls = loadSyscalls();
  const flags = calls.fcntl(fd, F_GETFL, 0);
  if (flags < 0) return -calls.errno();
  const wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted !== flags && calls.fcntl(fd, F_SETFL, wanted) < 0) return -calls.errno();
  return 0;
}

/**
 * The listening socket `fd` drops every SYN from now on, in silence: its sender tries again after a second, and
 * meets who listens there then, or is refused. Handshakes that are under way come to their end, which a filter
 * for all packets would prevent. Accepted sockets inherit the filter; no SYN comes to them. Returns 0 or a
 * negative errno.
 */
export function dropNewHandshakes(fd: number): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  for (let i = 0; i < DROP_SYN.length; i++) words[FILTER_AT + i] = DROP_SYN[i]!;
  // struct sock_fprog: count of instructions, padding, address.
  const program = address + FILTER_AT * 4;
  words[0] = DROP_SYN.length / 2;
  words[1] = 0;
  words[2] = program | 0;
  words[3] = (program / TWO_POW_32) | 0;
  return calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, address, 16) < 0 ? -calls.errno() : 0;
}

/** The next close sends RST and drops what is queued (SO_LINGER with 0 seconds). */
export function setAbortive(fd: number): void {
  const { address, words } = sharedScratch();
  words[0] = 1;
  words[1] = 0;
  loadSyscalls().setsockopt(fd, SOL_SOCKET, SO_LINGER, address, 8);
}

/** What broke the socket, as a negative errno, or 0. It is told once (SO_ERROR). */
export function takeSocketError(fd: number): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  words[0] = 0;
  words[1] = 4;
  calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, address, address + 4);
  return -words[0]!;
}

/** Sends FIN behind what the kernel holds. */
export function shutdownSend(fd: number): number {
  const calls = loadSyscalls();
  return calls.shutdown(fd, SHUT_WR) < 0 ? -calls.errno() : 0;
}

/**
 * Writes the peer's host as text at `into[offset]`; nothing where the socket has no peer any more. Returns
 * just past it.
 */
export function writePeerHost(fd: number, into: Uint8Array, offset: number): number {
  const calls = loadSyscalls();
  const scratch = sharedScratch();
  scratch.words[LENGTH_AT >> 2] = SOCKADDR_BYTES;
  if (calls.getpeername(fd, scratch.address + ADDRESS_AT, scratch.address + LENGTH_AT) < 0) return offset;
  return writeHost(scratch.bytes, ADDRESS_AT, into, offset);
}

function setOption(fd: number, level: number, option: number, value: number): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  words[0] = value;
  return calls.setsockopt(fd, level, option, address, 4) < 0 ? -calls.errno() : 0;
}

/** A negative errno where it cannot be read. */
function readOption(fd: number, level: number, option: number): number {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  words[1] = 4;
  return calls.getsockopt(fd, level, option, address, address + 4) < 0 ? -calls.errno() : words[0]!;
}

const CODES = new Map<number, string>([
  [13, "EACCES"],
  [22, "EINVAL"],
  [24, "EMFILE"],
  [97, "EAFNOSUPPORT"],
  [98, "EADDRINUSE"],
  [99, "EADDRNOTAVAIL"],
]);

function codeOf(errno: number): string {
  return CODES.get(errno) ?? `errno ${errno}`;
}

function listenError(code: string, step: string, { host, port }: SocketAddress): Error {
  const name = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return Object.assign(new Error(`cannot listen on ${name}: ${step}: ${code}`), { code });
}
