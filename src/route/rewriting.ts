/**
 * A target in place of the one that a request came with, written into a head that is already rendered.
 *
 * @hot
 */
import { TARGET } from "../base/ascii.ts";
import { asciiBytes, copy } from "../base/bytes.ts";
import type { Rewrite } from "../contract/routing.ts";
import { Template, type TemplateSource } from "./template.ts";

const IS_TARGET = TARGET;
const SP = 0x20;
const SLASH = 0x2f;
const UNDERSCORE = 0x5f;

/** Returned when there is no room. */
export const NO_ROOM = -1;

export class Rewriting {
  /** Of a prefix; null: a template. */
  readonly #from: Uint8Array | null;
  readonly #to: Uint8Array;
  readonly #template: Template | null;
  readonly #keepsQuery: boolean;
  readonly usesCaptures: boolean;
  readonly usesRequestId: boolean;
  readonly usesClientAddress: boolean;

  /** Throws `TemplateError`. */
  constructor(rewrite: Rewrite, names: ReadonlyMap<string, number>, count: number) {
    const isPrefix = rewrite.kind === "prefix";
    this.#from = isPrefix ? asciiBytes(rewrite.from) : null;
    this.#to = asciiBytes(isPrefix ? rewrite.to : "");
    this.#template = isPrefix ? null : new Template(rewrite.text, names, count);
    this.#keepsQuery = this.#template === null || !this.#template.hasQuery;
    this.usesCaptures = this.#template?.usesCaptures ?? false;
    this.usesRequestId = this.#template?.usesRequestId ?? false;
    this.usesClientAddress = this.#template?.usesClientAddress ?? false;
  }

  /**
   * Puts the new target into the request head `memory[start, end)`, of the request that `source` describes.
   * Returns its new end, or `NO_ROOM` where `limit` is near. A target without a path stays.
   */
  apply(
    memory: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    limit: number,
    source: TemplateSource,
  ): number {
    const { pathStart, pathEnd, queryStart, queryEnd } = source.view;
    if (pathStart < 0) return end;
    const kept = this.#keptStart(memory, pathStart, pathEnd);
    if (this.#from !== null && kept < 0) return end;
    const template = this.#template;
    let bytes = template === null ? this.#to.length + pathEnd - kept : template.length(source);
    const isEmpty = bytes === 0;
    if (isEmpty) bytes = 1;
    if (this.#keepsQuery) bytes += queryEnd - queryStart;

    const targetStart = start + source.head!.methodEnd - source.head!.methodStart + 1;
    let targetEnd = targetStart;
    while (memory[targetEnd] !== SP) targetEnd++;
    const newEnd = end + bytes - (targetEnd - targetStart);
    if (newEnd > limit) return NO_ROOM;
    memory.copyWithin(targetStart + bytes, targetEnd, end);

    let at = targetStart;
    if (isEmpty) memory[at++] = SLASH;
    else if (template !== null) at = targetOnly(memory, at, template.write(memory, view, at, source));
    else {
      for (let i = 0; i < this.#to.length; i++) memory[at++] = this.#to[i]!;
      at = copy(view, memory, kept, pathEnd, at);
    }
    if (this.#keepsQuery) copy(view, memory, queryStart, queryEnd, at);
    return newEnd;
  }

  /** Where the path goes on behind the prefix; -1: it has it not, or there is none to have. */
  #keptStart(memory: Uint8Array, start: number, end: number): number {
    const from = this.#from;
    if (from === null || end - start < from.length) return -1;
    for (let i = 0; i < from.length; i++) if (memory[start + i] !== from[i]) return -1;
    const pos = start + from.length;
    return pos === end || memory[pos] === SLASH ? pos : -1;
  }
}

/**
 * A variable may have bytes that would end a target, as the blanks of an X-Request-Id: they become `_`. Returns
 * `end`.
 */
function targetOnly(memory: Uint8Array, start: number, end: number): number {
  for (let pos = start; pos < end; pos++) if (IS_TARGET[memory[pos]!] === 0) memory[pos] = UNDERSCORE;
  return end;
}
