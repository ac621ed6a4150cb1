/**
 * Reads IP addresses where they lie in a message, without making strings: `ip-address.ts` does the same for
 * what is read once. Both take exactly the same texts.
 *
 * @hot
 */
import { HEX_VALUE } from "./ascii.ts";

const HEX = HEX_VALUE;
const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;
const IPV6_BYTES = 16;
/** Where the four bytes of an IPv4 address stand in its 16. */
const IPV4_AT = 12;

/**
 * Writes the 16 bytes of the IPv4 or IPv6 address `memory[start, end)` to `into`: without brackets, port or
 * zone. `false`: it is not one; what was written does not matter then.
 */
export function readIp(memory: Uint8Array, start: number, end: number, into: Uint8Array): boolean {
  for (let pos = start; pos < end; pos++) {
    if (memory[pos] === COLON) return readIpv6(memory, start, end, into);
  }
  for (let i = 0; i < IPV4_AT - 2; i++) into[i] = 0;
  into[IPV4_AT - 2] = 0xff;
  into[IPV4_AT - 1] = 0xff;
  return readIpv4(memory, start, end, into, IPV4_AT);
}

function readIpv4(memory: Uint8Array, start: number, end: number, into: Uint8Array, at: number): boolean {
  let pos = start;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (pos >= end || memory[pos++] !== DOT)) return false;
    const first = pos;
    let value = 0;
    while (pos < end && pos - first < 4) {
      const digit = memory[pos]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      pos++;
    }
    if (pos === first || value > 255) return false;
    // A zero in front means octal to some readers.
    if (pos - first > 1 && memory[first] === ZERO) return false;
    into[at + part] = value;
  }
  return pos === end;
}

function readIpv6(memory: Uint8Array, start: number, end: number, into: Uint8Array): boolean {
  let pos = start;
  let bytes = 0;
  /** Bytes in front of `::`; -1: there is none yet. */
  let gapAt = -1;
  if (memory[pos] === COLON) {
    if (pos + 1 >= end || memory[pos + 1] !== COLON) return false;
    gapAt = 0;
    pos += 2;
  }
  while (pos < end) {
    if (bytes > IPV6_BYTES - 2) return false;
    const first = pos;
    let value = 0;
    while (pos < end && pos - first < 5) {
      const digit = HEX[memory[pos]!]!;
      if (digit === 255) break;
      value = value * 16 + digit;
      pos++;
    }
    if (pos < end && memory[pos] === DOT) {
      if (bytes > IPV6_BYTES - 4 || !readIpv4(memory, first, end, into, bytes)) return false;
      bytes += 4;
      pos = end;
      break;
    }
    if (pos === first || pos - first > 4) return false;
    into[bytes] = value >> 8;
    into[bytes + 1] = value & 255;
    bytes += 2;
    if (pos === end) break;
    if (memory[pos++] !== COLON) return false;
    if (pos === end) return false;
    if (memory[pos] === COLON) {
      if (gapAt >= 0) return false;
      gapAt = bytes;
      pos++;
    }
  }
  if (gapAt < 0) return bytes === IPV6_BYTES;
  if (bytes >= IPV6_BYTES) return false;
  const tail = bytes - gapAt;
  for (let i = 1; i <= tail; i++) into[IPV6_BYTES - i] = into[bytes - i]!;
  for (let i = gapAt; i < IPV6_BYTES - tail; i++) into[i] = 0;
  return true;
}
