/**
 * Socket addresses: text to `struct sockaddr` and back.
 *
 * Text is what `Port.connect` takes: `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/path`. IPv6 is written as RFC
 * 5952 asks; an IPv4-mapped address (`::ffff:192.0.2.1`) is written as IPv4. No names, no zones.
 */
import { parseIpv4, parseIpv6 } from "../../base/ip-address.ts";
import { PEER_ADDRESS_BYTES } from "../../contract/port.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** Room for any address that is handled here. */
export const SOCKADDR_BYTES = 128;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
const UNIX_PATH_START = 2;
/** `sun_path` has 108 bytes; the last stays 0. */
const UNIX_PATH_BYTES_MAX = 107;

const IPV4_START = 4;
const IPV6_START = 8;

const UNIX_PREFIX = "unix:";

/**
 * Writes `address` into `into[at, at + SOCKADDR_BYTES)`. Returns the length that system calls are to be told,
 * or -1 when the text is not an address.
 */
export function encodeAddress(address: string, into: Uint8Array, at: number): number {
  into.fill(0, at, at + SOCKADDR_BYTES);
  if (address.startsWith(UNIX_PREFIX)) return encodeUnix(address.slice(UNIX_PREFIX.length), into, at);
  const colon = address.lastIndexOf(":");
  if (colon <= 0) return -1;
  const portText = address.slice(colon + 1);
  if (!/^[0-9]{1,5}$/.test(portText) || Number(portText) > 65_535) return -1;
  const bracketed = address[0] === "[" && address[colon - 1] === "]";
  const host = bracketed ? address.slice(1, colon - 1) : address.slice(0, colon);
  if (bracketed !== host.includes(":")) return -1;
  return encodeHost(host, Number(portText), into, at);
}

/** As `encodeAddress`, for an IP address without brackets and a port apart. */
export function encodeHost(host: string, port: number, into: Uint8Array, at: number): number {
  const isIpv6 = host.includes(":");
  into[at] = isIpv6 ? AF_INET6 : AF_INET;
  into[at + 1] = 0;
  into[at + 2] = port >> 8;
  into[at + 3] = port & 255;
  if (isIpv6) return parseIpv6(host, into, at + IPV6_START) ? SOCKADDR_IN6_BYTES : -1;
  return parseIpv4(host, into, at + IPV4_START) ? SOCKADDR_IN_BYTES : -1;
}

function encodeUnix(path: string, into: Uint8Array, at: number): number {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length === 0 || bytes.length > UNIX_PATH_BYTES_MAX || bytes.includes(0)) return -1;
  into[at] = AF_UNIX;
  into.set(bytes, at + UNIX_PATH_START);
  return UNIX_PATH_START + bytes.length + 1;
}

/** The address at `from[at]` with its port, as `connect` takes it. `bytes` is what the system call said. */
export function decodeAddress(from: Uint8Array, at: number, bytes: number): string {
  const family = from[at]! | (from[at + 1]! << 8);
  if (family === AF_UNIX) {
    let end = at + UNIX_PATH_START;
    while (end < at + bytes && from[end] !== 0) end++;
    return UNIX_PREFIX + new TextDecoder().decode(from.slice(at + UNIX_PATH_START, end));
  }
  const text = new Uint8Array(PEER_ADDRESS_BYTES);
  const end = writeHost(from, at, text, 0);
  const host = String.fromCharCode(...text.subarray(0, end));
  const port = (from[at + 2]! << 8) | from[at + 3]!;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Writes the host of the address at `from[at]` as text (`unix:` for a Unix socket) at `into[offset]`, at most
 * `PEER_ADDRESS_BYTES`. Returns just past it.
 */
export function writeHost(from: Uint8Array, at: number, into: Uint8Array, offset: number): number {
  const family = from[at]! | (from[at + 1]! << 8);
  if (family === AF_INET) return writeIpv4(from, at + IPV4_START, into, offset);
  if (family === AF_INET6) return writeIpv6(from, at + IPV6_START, into, offset);
  for (let i = 0; i < UNIX_PREFIX.length; i++) into[offset + i] = UNIX_PREFIX.charCodeAt(i);
  return offset + UNIX_PREFIX.length;
}

function writeIpv4(from: Uint8Array, at: number, into: Uint8Array, offset: number): number {
  let next = offset;
  for (let i = 0; i < 4; i++) {
    const value = from[at + i]!;
    if (i > 0) into[next++] = 0x2e;
    if (value >= 100) into[next++] = 0x30 + ((value / 100) | 0);
    if (value >= 10) into[next++] = 0x30 + (((value / 10) | 0) % 10);
    into[next++] = 0x30 + (value % 10);
  }
  return next;
}

function writeIpv6(from: Uint8Array, at: number, into: Uint8Array, offset: number): number {
  if (isIpv4Mapped(from, at)) return writeIpv4(from, at + 12, into, offset);
  // RFC 5952 §4.2: the longest run of at least two zero groups becomes "::", the first of equals.
  let runStart = -1;
  let runCount = 1;
  for (let i = 0; i < 8; i++) {
    let count = 0;
    while (i + count < 8 && from[at + (i + count) * 2] === 0 && from[at + (i + count) * 2 + 1] === 0) count++;
    if (count > runCount) {
      runStart = i;
      runCount = count;
    }
    i += count;
  }
  let next = offset;
  for (let i = 0; i < 8; i++) {
    if (i === runStart) {
      into[next++] = 0x3a;
      if (i + runCount === 8) into[next++] = 0x3a;
      i += runCount - 1;
      continue;
    }
    if (i > 0) into[next++] = 0x3a;
    next = writeHex(((from[at + i * 2]! << 8) | from[at + i * 2 + 1]!) & 0xffff, into, next);
  }
  return next;
}

function isIpv4Mapped(from: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (from[at + i] !== 0) return false;
  return from[at + 10] === 0xff && from[at + 11] === 0xff;
}

function writeHex(value: number, into: Uint8Array, offset: number): number {
  let next = offset;
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 15;
    if (next === offset && digit === 0 && shift > 0) continue;
    into[next++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return next;
}
