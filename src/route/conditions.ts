/**
 * The conditions of a route beside host and path, asked of a request's head where it lies.
 *
 * Names and values are compared as they were received: nothing is decoded. Every line, parameter and cookie
 * counts; one that fits is enough.
 *
 * @hot
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import { isInNetwork, type Network } from "../base/ip-address.ts";
import type { Route, ValueCondition } from "../contract/routing.ts";
import { type MessageHead, Method } from "../http1/message-head.ts";
import { isPreflightFor } from "./cors.ts";
import { Regex } from "./regex.ts";
import type { RequestView } from "./request-view.ts";

const Kind = { present: 0, exact: 1, prefix: 2, regex: 3 } as const;
const PRESENT = Kind.present;
const EXACT = Kind.exact;
const PREFIX = Kind.prefix;
const OTHER_METHOD = Method.other;
const SP = 0x20;
const HTAB = 0x09;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const SEMICOLON = 0x3b;
const COOKIE = asciiBytes("cookie");

class ValueTest {
  readonly name: Uint8Array;
  readonly kind: number;
  readonly value: Uint8Array;
  readonly regex: Regex | null;

  constructor({ name, kind, value }: ValueCondition) {
    this.name = asciiBytes(name);
    this.kind = Kind[kind];
    this.value = asciiBytes(kind === "regex" ? "" : value);
    this.regex = kind === "regex" ? new Regex(value) : null;
  }

  holds(memory: Uint8Array, start: number, end: number): boolean {
    if (this.kind === PRESENT) return true;
    if (this.kind === EXACT)
      return end - start === this.value.length && beginsWith(memory, start, end, this.value);
    if (this.kind === PREFIX) return beginsWith(memory, start, end, this.value);
    return this.regex!.test(memory, start, end);
  }
}

export class Conditions {
  /** Bit per `Method`; 0: any. */
  readonly #methods: number;
  readonly #otherMethods: readonly Uint8Array[];
  /** With CORS: a preflight is about the method that it asks for. Else empty. */
  readonly #preflightMethods: readonly Uint8Array[];
  readonly #fields: readonly ValueTest[];
  readonly #query: readonly ValueTest[];
  readonly #cookies: readonly ValueTest[];
  readonly #clients: readonly Network[];

  constructor({ methods, fields, query, cookies, clients, cors }: Route) {
    const known = methods.filter((name) => name in Method && name !== "other");
    const others = methods.filter((name) => !known.includes(name));
    let mask = others.length > 0 ? 1 << OTHER_METHOD : 0;
    for (const name of known) mask |= 1 << Method[name as keyof typeof Method];
    this.#methods = mask;
    this.#otherMethods = others.map(asciiBytes);
    this.#preflightMethods = cors === null ? [] : methods.map(asciiBytes);
    this.#fields = fields.map((condition) => new ValueTest(condition));
    this.#query = query.map((condition) => new ValueTest(condition));
    this.#cookies = cookies.map((condition) => new ValueTest(condition));
    this.#clients = clients;
  }

  /** Whether all hold for the request with `head`. `address`: its peer's 16 bytes, null where there are none. */
  hold(memory: Uint8Array, head: MessageHead, view: RequestView, address: Uint8Array | null): boolean {
    if (this.#methods !== 0 && !this.#methodHolds(memory, head)) return false;
    for (let i = 0; i < this.#fields.length; i++)
      if (!fieldHolds(memory, head, this.#fields[i]!)) return false;
    for (let i = 0; i < this.#query.length; i++) {
      if (!queryHolds(memory, view.queryStart, view.queryEnd, this.#query[i]!)) return false;
    }
    for (let i = 0; i < this.#cookies.length; i++)
      if (!cookieHolds(memory, head, this.#cookies[i]!)) return false;
    return this.#clients.length === 0 || isInAny(this.#clients, address);
  }

  #methodHolds(memory: Uint8Array, head: MessageHead): boolean {
    if ((this.#methods & (1 << head.method)) === 0)
      return this.#preflightMethods.length > 0 && isPreflightFor(memory, head, this.#preflightMethods);
    if (head.method !== OTHER_METHOD) return true;
    for (let i = 0; i < this.#otherMethods.length; i++) {
      const name = this.#otherMethods[i]!;
      const { methodStart, methodEnd } = head;
      if (methodEnd - methodStart === name.length && beginsWith(memory, methodStart, methodEnd, name))
        return true;
    }
    return false;
  }
}

/** Whether `address` (16 bytes; null: none) is in one of `networks`. */
export function isInAny(networks: readonly Network[], address: Uint8Array | null): boolean {
  if (address === null) return false;
  for (let i = 0; i < networks.length; i++) if (isInNetwork(address, networks[i]!)) return true;
  return false;
}

function fieldHolds(memory: Uint8Array, head: MessageHead, test: ValueTest): boolean {
  const { fields, fieldCount } = head;
  for (let at = 0; at < fieldCount << 2; at += 4) {
    if (!equalsIgnoreCase(memory, fields[at]!, fields[at + 1]!, test.name)) continue;
    if (test.holds(memory, fields[at + 2]!, fields[at + 3]!)) return true;
  }
  return false;
}

/** `[start, end)` is a query with its `?`, or empty. */
function queryHolds(memory: Uint8Array, start: number, end: number, test: ValueTest): boolean {
  let pos = start + 1;
  while (pos < end) {
    const nameStart = pos;
    while (pos < end && memory[pos] !== AMPERSAND) pos++;
    if (pairHolds(memory, nameStart, pos, test)) return true;
    pos++;
  }
  return false;
}

function cookieHolds(memory: Uint8Array, head: MessageHead, test: ValueTest): boolean {
  const { fields, fieldCount } = head;
  for (let at = 0; at < fieldCount << 2; at += 4) {
    if (!equalsIgnoreCase(memory, fields[at]!, fields[at + 1]!, COOKIE)) continue;
    const end = fields[at + 3]!;
    for (let pos = fields[at + 2]!; pos < end; pos++) {
      while (pos < end && (memory[pos] === SP || memory[pos] === HTAB)) pos++;
      const start = pos;
      while (pos < end && memory[pos] !== SEMICOLON) pos++;
      let pairEnd = pos;
      while (pairEnd > start && (memory[pairEnd - 1] === SP || memory[pairEnd - 1] === HTAB)) pairEnd--;
      if (pairHolds(memory, start, pairEnd, test)) return true;
    }
  }
  return false;
}

/** `[start, end)` is `name=value`, or a name alone, whose value is empty. */
function pairHolds(memory: Uint8Array, start: number, end: number, test: ValueTest): boolean {
  const nameEnd = start + test.name.length;
  if (nameEnd > end || !beginsWith(memory, start, end, test.name)) return false;
  if (nameEnd === end) return test.holds(memory, end, end);
  return memory[nameEnd] === EQUALS && test.holds(memory, nameEnd + 1, end);
}

function beginsWith(memory: Uint8Array, start: number, end: number, bytes: Uint8Array): boolean {
  if (end - start < bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (memory[start + i] !== bytes[i]) return false;
  return true;
}
