/**
 * Header fields that a route sets, adds and removes, done to a head that is already written: what most requests
 * need stays free of it.
 *
 * @hot
 */
import { asciiBytes } from "../base/bytes.ts";
import type { FieldEdit } from "../contract/routing.ts";
import { isNamed, nextLine } from "../http1/written-lines.ts";
import { Template, type TemplateSource } from "./template.ts";

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SP = 0x20;

/** Returned when there is no room. */
export const NO_ROOM = -1;

interface Addition {
  readonly name: Uint8Array;
  readonly value: Template;
  /** A request has a Host field, even an empty one (RFC 9112 §3.2). */
  readonly isHost: boolean;
}

export class FieldEdits {
  /** Names in lower case of lines that go. */
  readonly #removed: readonly Uint8Array[];
  readonly #added: readonly Addition[];
  /** What is added names no variables. */
  readonly isConstant: boolean;
  readonly usesCaptures: boolean;
  readonly usesRequestId: boolean;
  readonly usesClientAddress: boolean;

  /** Throws `TemplateError`. */
  constructor(edits: readonly FieldEdit[], names: ReadonlyMap<string, number>, count: number) {
    const gone = edits.filter(({ kind }) => kind !== "add").map(({ name }) => name.toLowerCase());
    this.#removed = [...new Set(gone)].map(asciiBytes);
    this.#added = edits
      .filter(({ kind }) => kind !== "remove")
      .map(({ name, value }) => ({
        name: asciiBytes(name),
        value: new Template(value, names, count),
        isHost: name.toLowerCase() === "host",
      }));
    this.isConstant = this.#added.every(({ value }) => value.isConstant);
    this.usesCaptures = this.#added.some(({ value }) => value.usesCaptures);
    this.usesRequestId = this.#added.some(({ value }) => value.usesRequestId);
    this.usesClientAddress = this.#added.some(({ value }) => value.usesClientAddress);
  }

  /** Takes the lines that go out of the head `memory[start, end)`. Returns its new end. */
  remove(memory: Uint8Array, view: DataView, start: number, end: number): number {
    if (this.#removed.length === 0) return end;
    let to = nextLine(memory, view, start, end);
    // Lines up to `from` have been looked at, those up to `to` stay.
    let from = to;
    while (from < end && memory[from] !== CR) {
      const next = nextLine(memory, view, from, end);
      if (!this.#isRemoved(memory, from)) {
        if (to !== from) memory.copyWithin(to, from, next);
        to += next - from;
      }
      from = next;
    }
    if (to !== from) memory.copyWithin(to, from, end);
    return to + end - from;
  }

  /** Bytes of the lines that `writeAdded` writes now. */
  addedLength(source: TemplateSource): number {
    let bytes = 0;
    for (let i = 0; i < this.#added.length; i++) {
      const { name, value, isHost } = this.#added[i]!;
      const valueBytes = value.length(source);
      if (valueBytes > 0 || isHost) bytes += name.length + valueBytes + 4;
    }
    return bytes;
  }

  /**
   * Writes the lines that are added at `at`, where there is room. One whose value is empty is left out. Returns
   * the offset past them.
   */
  writeAdded(memory: Uint8Array, view: DataView, at: number, source: TemplateSource): number {
    for (let i = 0; i < this.#added.length; i++) {
      const { name, value, isHost } = this.#added[i]!;
      if (value.length(source) === 0 && !isHost) continue;
      for (let k = 0; k < name.length; k++) memory[at++] = name[k]!;
      memory[at++] = COLON;
      memory[at++] = SP;
      at = value.write(memory, view, at, source);
      memory[at++] = CR;
      memory[at++] = LF;
    }
    return at;
  }

  /** Does all of it to the head `memory[start, end)`. Returns its new end, or `NO_ROOM` where `limit` is near. */
  apply(
    memory: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    limit: number,
    source: TemplateSource,
  ): number {
    if (end + this.addedLength(source) > limit) return NO_ROOM;
    // The empty line goes behind what is added.
    const linesEnd = this.remove(memory, view, start, end) - 2;
    const at = this.writeAdded(memory, view, linesEnd, source);
    memory[at] = CR;
    memory[at + 1] = LF;
    return at + 2;
  }

  #isRemoved(memory: Uint8Array, line: number): boolean {
    for (let i = 0; i < this.#removed.length; i++) {
      if (isNamed(memory, line, this.#removed[i]!)) return true;
    }
    return false;
  }
}
