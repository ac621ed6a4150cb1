/**
 * The rate limit of a route, made ready: what its requests are counted by, and how fast tokens come.
 *
 * @hot
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import { HalfSipHash } from "../base/half-sip-hash.ts";
import { utf8Bytes } from "../base/utf8.ts";
import type { RateLimit } from "../contract/routing.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { Template, type TemplateSource } from "./template.ts";

const SP = 0x20;
const HTAB = 0x09;
const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const COOKIE = asciiBytes("cookie");
const NO_NAMES: ReadonlyMap<string, number> = new Map();
/** What is hashed in front of a key: an address is never taken for a text. */
const BY_ADDRESS = 1;
const BY_VALUE = 2;
const FOR_ALL = 3;
const IPV4_AT = 12;
const NETWORK_BYTES = 8;
const ADDRESS_BYTES = 16;

export class ReadyRateLimit {
  readonly status: number;
  /** In milliseconds: until one token comes, and until the bucket is full. */
  readonly tokenMs: number;
  readonly fullMs: number;
  readonly asksAddress: boolean;
  readonly usesCaptures: boolean;
  readonly #kind: RateLimit["key"]["kind"];
  readonly #name: Uint8Array;
  readonly #template: Template | null;
  /** What tells its buckets from those of other limits; the same in every worker, and after a reload. */
  readonly #identity0: number;
  readonly #identity1: number;

  /** `names` and `count` are those of the captures of its route's path. Throws `TemplateError`. */
  constructor(limit: RateLimit, names: ReadonlyMap<string, number> = NO_NAMES, count = 0) {
    const { key, periodMs, burst, status } = limit;
    this.status = status;
    this.tokenMs = periodMs / limit.count;
    this.fullMs = burst * this.tokenMs;
    this.#kind = key.kind;
    this.#name = asciiBytes(key.kind === "field" || key.kind === "cookie" ? key.name : "");
    this.#template = key.kind === "template" ? new Template(key.text, names, count) : null;
    const text = utf8Bytes(JSON.stringify(limit));
    const identity = new HalfSipHash(0, 0);
    identity.begin();
    identity.addRange(text, 0, text.length);
    identity.end();
    this.#identity0 = identity.low;
    this.#identity1 = identity.high;
    this.asksAddress = key.kind !== "all";
    this.usesCaptures = this.#template?.usesCaptures ?? false;
  }

  /**
   * Leaves the hash of the request's key in `hash`. `address`: the client's 16 bytes, null where it has none;
   * such clients are counted together.
   */
  hashKey(
    hash: HalfSipHash,
    memory: Uint8Array,
    head: MessageHead,
    source: TemplateSource,
    address: Uint8Array | null,
  ): void {
    hash.begin();
    hash.addWord(this.#identity0);
    hash.addWord(this.#identity1);
    const kind = this.#kind;
    if (kind === "all") hash.addByte(FOR_ALL);
    else if (kind === "client" || !this.#addValue(hash, memory, head, source)) addAddress(hash, address);
    hash.end();
  }

  /** `false`: the request has none, or an empty one, and nothing was added. */
  #addValue(hash: HalfSipHash, memory: Uint8Array, head: MessageHead, source: TemplateSource): boolean {
    const template = this.#template;
    if (template !== null) {
      if (template.length(source) === 0) return false;
      hash.addByte(BY_VALUE);
      template.addTo(hash, memory, source);
      return true;
    }
    const isCookie = this.#kind === "cookie";
    const name = isCookie ? COOKIE : this.#name;
    const { fields, fieldCount } = head;
    let count = 0;
    for (let at = 0; at < fieldCount << 2; at += 4) {
      if (!equalsIgnoreCase(memory, fields[at]!, fields[at + 1]!, name)) continue;
      const start = fields[at + 2]!;
      const end = fields[at + 3]!;
      if (isCookie) count = this.#addCookies(hash, memory, start, end, count);
      else if (start < end) count = addOne(hash, memory, start, end, count);
    }
    return count > 0;
  }

  /** Adds every cookie of the name, as a backend may take any of them. */
  #addCookies(hash: HalfSipHash, memory: Uint8Array, start: number, end: number, count: number): number {
    const name = this.#name;
    while (start < end) {
      let stop = start;
      while (stop < end && memory[stop] !== SEMICOLON) stop++;
      while (start < stop && isBlank(memory[start]!)) start++;
      let pairEnd = stop;
      while (pairEnd > start && isBlank(memory[pairEnd - 1]!)) pairEnd--;
      const valueStart = start + name.length + 1;
      if (valueStart < pairEnd && memory[valueStart - 1] === EQUALS && isAt(memory, start, name)) {
        count = addOne(hash, memory, valueStart, pairEnd, count);
      }
      start = stop + 1;
    }
    return count;
  }
}

function addOne(hash: HalfSipHash, memory: Uint8Array, start: number, end: number, count: number): number {
  hash.addByte(count === 0 ? BY_VALUE : 0);
  hash.addRange(memory, start, end);
  return count + 1;
}

/** Of IPv6 the network of 64 bits, which is what a single host is given. */
function addAddress(hash: HalfSipHash, address: Uint8Array | null): void {
  hash.addByte(BY_ADDRESS);
  if (address === null) return;
  const isIpv4 = isMapped(address);
  hash.addRange(address, isIpv4 ? IPV4_AT : 0, isIpv4 ? ADDRESS_BYTES : NETWORK_BYTES);
}

function isMapped(address: Uint8Array): boolean {
  for (let i = 0; i < IPV4_AT - 2; i++) if (address[i] !== 0) return false;
  return address[IPV4_AT - 2] === 0xff && address[IPV4_AT - 1] === 0xff;
}

function isAt(memory: Uint8Array, start: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (memory[start + i] !== bytes[i]) return false;
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
