/** Whose instructions they were. */
import type { CompiledCode, SourceLine } from "./jit-dump.ts";

export interface Attributed {
  readonly all: number;
  /** By compiled function, with everything that was taken into it. */
  readonly byFunction: ReadonlyMap<string, number>;
  /** By `folder/file.js`, whichever function it was taken into. */
  readonly byFile: ReadonlyMap<string, number>;
  /** By `folder/file.js:line`. */
  readonly byLine: ReadonlyMap<string, number>;
}

/** Compiled by the optimising compiler, or WebAssembly. */
const IS_OPTIMISED = /^JS:(\*|wasm)/;
const OTHER = "Node.js, libraries, unoptimised code";

/** `code` ascends by address. */
export function attribute(counts: ReadonlyMap<number, number>, code: readonly CompiledCode[]): Attributed {
  let all = 0;
  const byFunction = new Map<string, number>();
  const byFile = new Map<string, number>();
  const byLine = new Map<string, number>();
  for (const [address, count] of counts) {
    all += count;
    const found = lastUpTo(code, address);
    const isInside = found !== undefined && address < found.address + found.bytes;
    const name = isInside && IS_OPTIMISED.test(found.name) ? shortName(found.name) : OTHER;
    add(byFunction, name, count);
    if (name === OTHER) continue;
    const line: SourceLine | undefined = lastUpTo(found!.lines, address);
    const file = line === undefined ? name : shortFile(line.file);
    add(byFile, file, count);
    if (line !== undefined) add(byLine, `${file}:${line.line}`, count);
  }
  return { all, byFunction, byFile, byLine };
}

/** The last of `items`, which ascend, that does not lie behind `address`. */
function lastUpTo<T extends { readonly address: number }>(
  items: readonly T[],
  address: number,
): T | undefined {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  return items[low - 1];
}

/** `JS:*'begin file:///x/dist/session/exchanges.js:96:10` is `begin session/exchanges.js`. */
function shortName(name: string): string {
  const [, what = name, file = ""] = /^JS:\*?'?(\S+)(?: (.*))?$/.exec(name) ?? [];
  return file === "" ? what : `${what} ${shortFile(file)}`;
}

/** From the last folder `dist` on, without a place in the file. */
function shortFile(file: string): string {
  return file.replace(/^.*\/dist\//, "").replace(/(:\d+)+$/, "");
}

function add(sums: Map<string, number>, name: string, count: number): void {
  sums.set(name, (sums.get(name) ?? 0) + count);
}
