/**
 * Whose request it is, where proxies that are trusted stand in front of this one: the last address in
 * X-Forwarded-For (or Forwarded, RFC 7239) that is not a trusted proxy's.
 *
 * Strategy: each proxy writes behind what it received the address of whoever it received it from. So the list
 * is read from its end: as long as an address is a trusted proxy's, what stands in front of it is that
 * proxy's word. The first that is not is the client; in front of it stands what the client wrote, which
 * nobody looks at. Where an entry cannot be read, the proxy that wrote it counts: it is the last one that is
 * known.
 *
 * @hot
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";
import type { Network } from "../base/ip-address.ts";
import { readIp } from "../base/ip-bytes.ts";
import { Field } from "../http1/field-names.ts";
import { HeadNote, type MessageHead } from "../http1/message-head.ts";
import { isInAny } from "./conditions.ts";

const X_FORWARDED_FOR = Field.xForwardedFor;
const FORWARDED = Field.forwarded;
const NOTED_FOR = HeadNote.xForwardedFor;
const NOTED_FORWARDED = HeadNote.forwarded;
const SP = 0x20;
const HTAB = 0x09;
const QUOTE = 0x22;
const COMMA = 0x2c;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const FOR = asciiBytes("for");
/** Of the list, so many entries at its end are looked at: a request passes no more proxies. */
const ENTRIES_MAX = 32;
const ADDRESS_BYTES = 16;

export class ClientAddress {
  /** After `find`: the address as text, in memory. */
  start = -1;
  end = -1;
  /** The same as 16 bytes; null where there are none (a unix socket). Changes with the next `find`. */
  bytes: Uint8Array | null = null;
  /** Entries, newest last: a ring of starts and ends. */
  readonly #entries = new Int32Array(ENTRIES_MAX * 2);
  #count = 0;
  #read = new Uint8Array(ADDRESS_BYTES);
  #found = new Uint8Array(ADDRESS_BYTES);
  /** Of the entry that was read last. */
  #readStart = -1;
  #readEnd = -1;

  /** Takes the peer for the client: its address is `[start, end)`, and `bytes`. */
  usePeer(start: number, end: number, bytes: Uint8Array | null): void {
    this.start = start;
    this.end = end;
    this.bytes = bytes;
  }

  /**
   * After `usePeer` with a peer that is trusted: goes on to the client that the head in `memory` names.
   * X-Forwarded-For counts where it is there; else Forwarded, if `usesForwarded`.
   */
  follow(memory: Uint8Array, head: MessageHead, trusted: readonly Network[], usesForwarded: boolean): void {
    const isPlain = (head.notes & NOTED_FOR) !== 0;
    if (!isPlain && (!usesForwarded || (head.notes & NOTED_FORWARDED) === 0)) return;
    this.#collect(memory, head, isPlain ? X_FORWARDED_FOR : FORWARDED);
    const oldest = Math.max(0, this.#count - ENTRIES_MAX);
    for (let entry = this.#count - 1; entry >= oldest; entry--) {
      const at = (entry % ENTRIES_MAX) * 2;
      const start = this.#entries[at]!;
      const end = this.#entries[at + 1]!;
      const isRead = isPlain
        ? this.#readNode(memory, start, end, false)
        : this.#readElement(memory, start, end);
      if (!isRead) return;
      this.#take();
      if (!isInAny(trusted, this.bytes)) return;
    }
  }

  /** What was read is the client, so far. */
  #take(): void {
    const read = this.#read;
    this.#read = this.#found;
    this.#found = read;
    this.usePeer(this.#readStart, this.#readEnd, read);
  }

  /** Finds the entries of all lines of `field`; empty ones do not count (RFC 9110 §5.6.1.2). */
  #collect(memory: Uint8Array, head: MessageHead, field: number): void {
    const { fields, fieldIds, fieldCount } = head;
    this.#count = 0;
    for (let index = 0; index < fieldCount; index++) {
      if (fieldIds[index] !== field) continue;
      const end = fields[(index << 2) + 3]!;
      let start = fields[(index << 2) + 2]!;
      while (start < end) {
        // Also within quotes: what a client wrote in front must not swallow what a proxy wrote behind it.
        const stop = indexOf(memory, start, end, COMMA);
        this.#add(memory, start, stop);
        start = stop + 1;
      }
    }
  }

  #add(memory: Uint8Array, start: number, end: number): void {
    while (start < end && isBlank(memory[start]!)) start++;
    while (end > start && isBlank(memory[end - 1]!)) end--;
    if (start === end) return;
    const at = (this.#count++ % ENTRIES_MAX) * 2;
    this.#entries[at] = start;
    this.#entries[at + 1] = end;
  }

  /** Reads the one `for` of an element of Forwarded (RFC 7239 §4). */
  #readElement(memory: Uint8Array, start: number, end: number): boolean {
    let found = 0;
    while (start < end) {
      const stop = indexOf(memory, start, end, SEMICOLON);
      while (start < stop && isBlank(memory[start]!)) start++;
      const valueStart = start + FOR.length + 1;
      if (
        valueStart < stop &&
        memory[valueStart - 1] === EQUALS &&
        equalsIgnoreCase(memory, start, valueStart - 1, FOR)
      ) {
        let valueEnd = stop;
        while (valueEnd > valueStart && isBlank(memory[valueEnd - 1]!)) valueEnd--;
        if (found++ > 0 || !this.#readNode(memory, valueStart, valueEnd, true)) return false;
      }
      start = stop + 1;
    }
    return found === 1;
  }

  /**
   * Reads an address, with or without a port: `192.0.2.1:80`, `[2001:db8::1]:80`. Outside of Forwarded, an
   * IPv6 address may do without brackets; there it has them, within quotes (RFC 7239 §6).
   */
  #readNode(memory: Uint8Array, start: number, end: number, isElement: boolean): boolean {
    const isQuoted = isElement && end - start >= 2 && memory[start] === QUOTE && memory[end - 1] === QUOTE;
    if (isQuoted) {
      start++;
      end--;
    }
    let stop = end;
    if (memory[start] === BRACKET) {
      if (isElement && !isQuoted) return false;
      stop = indexOf(memory, ++start, end, BRACKET_END);
      if (stop === end || !isPort(memory, stop + 1, end)) return false;
      // In brackets are no IPv4 addresses.
      if (indexOf(memory, start, stop, COLON) === stop) return false;
    } else if (indexOf(memory, start, end, DOT) < indexOf(memory, start, end, COLON)) {
      stop = indexOf(memory, start, end, COLON);
      if (!isPort(memory, stop, end)) return false;
    } else if (isElement) return false;
    this.#readStart = start;
    this.#readEnd = stop;
    return readIp(memory, start, stop, this.#read);
  }
}

function indexOf(memory: Uint8Array, start: number, end: number, byte: number): number {
  while (start < end && memory[start] !== byte) start++;
  return start;
}

/** `[start, end)` is empty, or a colon and one to five digits. */
function isPort(memory: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (memory[start] !== COLON || end - start < 2 || end - start > 6) return false;
  for (let pos = start + 1; pos < end; pos++) {
    const digit = memory[pos]! - ZERO;
    if (digit < 0 || digit > 9) return false;
  }
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
