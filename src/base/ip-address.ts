/**
 * IP addresses and networks of them, as numbers.
 *
 * Every address has 16 bytes here: an IPv4 address is its IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), so
 * that one kind of comparison serves both. Set-up and once per connection, not per request: allocates.
 */

const IPV6_BYTES = 16;
const MAPPED_BITS = 96;

/** All addresses whose first `prefixBits` are those of `address`. Plain data: crosses processes as JSON. */
export interface Network {
  /** 16 bytes. */
  readonly address: readonly number[];
  /** 0 to 128; of an IPv4 network 96 more than is written. */
  readonly prefixBits: number;
}

/** The 16 bytes of an IPv4 or IPv6 address, or `undefined` when `text` is not one. */
export function parseIp(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(IPV6_BYTES);
  if (text.includes(":")) return parseIpv6(text, bytes, 0) ? bytes : undefined;
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  return parseIpv4(text, bytes, 12) ? bytes : undefined;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; `undefined` when `text` is nothing of these. */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match === null ? undefined : parseIp(match[1]!);
  if (match === null || address === undefined) return undefined;
  const skipped = match[1]!.includes(":") ? 0 : MAPPED_BITS;
  const prefixBits = match[2] === undefined ? IPV6_BYTES * 8 : skipped + Number(match[2]);
  return prefixBits > IPV6_BYTES * 8 ? undefined : { address: [...address], prefixBits };
}

/** Whether `address`, as `parseIp` gives it, is in `network`. */
export function isInNetwork(address: Uint8Array, network: Network): boolean {
  const whole = network.prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== network.address[i]) return false;
  const rest = network.prefixBits & 7;
  return rest === 0 || (address[whole]! ^ network.address[whole]!) >> (8 - rest) === 0;
}

/** Writes the four bytes of `192.0.2.1` at `into[at]`. `false`: `text` is not such an address. */
export function parseIpv4(text: string, into: Uint8Array, at: number): boolean {
  const parts = text.split(".");
  if (parts.length !== 4) return false;
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return false;
    into[at + i] = Number(part);
  }
  return true;
}

/**
 * Writes the 16 bytes of an IPv6 address, with or without a dotted tail, at `into[at]`. `false`: `text` is not
 * one; what was written does not matter then. No zones.
 */
export function parseIpv6(text: string, into: Uint8Array, at: number): boolean {
  into.fill(0, at, at + IPV6_BYTES);
  let groups = text;
  let end = IPV6_BYTES;
  const dotted = text.lastIndexOf(".") === -1 ? -1 : text.lastIndexOf(":");
  if (dotted !== -1) {
    if (!parseIpv4(text.slice(dotted + 1), into, at + IPV6_BYTES - 4)) return false;
    end -= 4;
    // `::1.2.3.4` keeps both colons, `…:ffff:1.2.3.4` loses the one in front of the dotted part.
    groups = text[dotted - 1] === ":" ? text.slice(0, dotted + 1) : text.slice(0, dotted);
  }
  const halves = groups.split("::");
  if (halves.length > 2) return false;
  const front = halves[0] === "" ? [] : halves[0]!.split(":");
  const back = halves.length === 1 || halves[1] === "" ? [] : halves[1]!.split(":");
  const written = (front.length + back.length) * 2;
  if (halves.length === 1 ? written !== end : written >= end) return false;
  return writeGroups(front, into, at) && writeGroups(back, into, at + end - back.length * 2);
}

function writeGroups(groups: readonly string[], into: Uint8Array, at: number): boolean {
  for (let i = 0; i < groups.length; i++) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(groups[i]!)) return false;
    const value = Number.parseInt(groups[i]!, 16);
    into[at + i * 2] = value >> 8;
    into[at + i * 2 + 1] = value & 255;
  }
  return true;
}
