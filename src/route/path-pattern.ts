/**
 * Path patterns taken apart. Templates are made of segments between slashes; what stands in a segment is
 * literal, or a parameter. Set-up only, but for `PathCaptures.locate`.
 */
import type { PathPattern } from "../contract/routing.ts";
import { Regex } from "./regex.ts";

export interface Segment {
  /** `one`: `:name`, a segment that is not empty. `rest`: `*name`, all that is left. */
  readonly kind: "literal" | "one" | "rest";
  /** Literal text, or the parameter's name. */
  readonly text: string;
}

/** The segments of a template or prefix: none for "", one empty one for "/". */
export function segmentsOf(text: string): Segment[] {
  if (text === "") return [];
  return text
    .slice(1)
    .split("/")
    .map((part): Segment => {
      if (part.startsWith(":")) return { kind: "one", text: part.slice(1) };
      return part.startsWith("*") ? { kind: "rest", text: part.slice(1) } : { kind: "literal", text: part };
    });
}

/** Whether a path without a pattern of its own is a template: it has a parameter. */
export function isTemplate(text: string): boolean {
  return segmentsOf(text).some(({ kind }) => kind !== "literal");
}

/** What two patterns have in common that match the same paths: a template without its parameters' names. */
export function shapeOf({ kind, text }: PathPattern): string {
  if (kind !== "template") return `${kind} ${text}`;
  const parts = segmentsOf(text).map((segment) =>
    segment.kind === "literal" ? `=${segment.text}` : segment.kind,
  );
  return `${kind} ${parts.join("/")}`;
}

const SLASH = 0x2f;

/** The parts of a path that a pattern names: `:id`, groups of a regex. Numbered from 1. */
export class PathCaptures {
  readonly names: ReadonlyMap<string, number>;
  readonly count: number;
  readonly #regex: Regex | null;
  /** Of a template, by capture: index of its segment; the last one may take all that is left. */
  readonly #segments: Int32Array;
  readonly #hasRest: boolean;
  /** After `locate`: start and end of capture `n` at `2n` and `2n + 1`, both -1 where it took no part. */
  readonly ranges: Int32Array;

  constructor(pattern: PathPattern) {
    this.#regex = pattern.kind === "regex" ? new Regex(pattern.text) : null;
    const segments = pattern.kind === "template" ? segmentsOf(pattern.text) : [];
    const indexes = segments.flatMap(({ kind }, index) => (kind === "literal" ? [] : [index]));
    const named = indexes.map((at, index): [string, number] => [segments[at]!.text, index + 1]);
    this.names = this.#regex === null ? new Map(named) : this.#regex.program.groupNames;
    this.count = this.#regex === null ? indexes.length : this.#regex.program.groupCount;
    this.#segments = Int32Array.from([-1, ...indexes]);
    this.#hasRest = segments.at(-1)?.kind === "rest";
    this.ranges = this.#regex === null ? new Int32Array(2 * (this.count + 1)) : this.#regex.groups;
  }

  /** Finds the captures of the path `memory[start, end)`, which matches. */
  locate(memory: Uint8Array, start: number, end: number): void {
    if (this.#regex !== null) {
      this.#regex.locate(memory, start, end);
      return;
    }
    const { ranges, count } = this;
    ranges[0] = start;
    ranges[1] = end;
    let pos = start + 1;
    for (let capture = 1, segment = 0; capture <= count; capture++) {
      for (; segment < this.#segments[capture]!; segment++) pos = segmentEnd(memory, pos, end) + 1;
      ranges[2 * capture] = pos;
      ranges[2 * capture + 1] = this.#hasRest && capture === count ? end : segmentEnd(memory, pos, end);
    }
  }
}

/** Where the segment ends that begins at `pos`: at a slash, or at `end`. */
export function segmentEnd(memory: Uint8Array, pos: number, end: number): number {
  while (pos < end && memory[pos] !== SLASH) pos++;
  return pos;
}
