/** Samples of perf(1) as stacks, and which part of the program each was taken in. */

/** One frame: what ran, and the file or area it was in. */
export interface Frame {
  readonly symbol: string;
  readonly object: string;
}

/** Where a sample was taken, by its innermost frame. */
export type Part =
  | "kernel"
  | "hp-proxy's JavaScript"
  | "other JavaScript and stubs"
  | "V8 builtins"
  | "V8 compiling"
  | "V8 collecting garbage"
  | "Node.js"
  | "foreign calls (koffi)"
  | "libc and others";

/** Reads `perf script -F comm,tid,ip,sym,dso`. Each stack has its innermost frame first. */
export function parseStacks(text: string): Frame[][] {
  const stacks: Frame[][] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const frames = block.split("\n").flatMap((line): Frame[] => {
      const match = /^\s+[0-9a-f]+ (.*) \(([^)]*)\)$/.exec(line);
      return match === null ? [] : [{ symbol: match[1]!, object: match[2]! }];
    });
    if (frames.length > 0) stacks.push(frames);
  }
  return stacks;
}

/** From sources or compiled, and the scanner of heads, the only WebAssembly at work. */
const IS_OWN = /\/(src|dist)\/[a-z0-9]+\/|^JS:wasm-function/;

export function partOf([innermost]: readonly Frame[]): Part {
  const { symbol, object } = innermost!;
  if (isKernel(innermost!)) return "kernel";
  if (/perf-\d+\.map$|^\[JIT\]/.test(object))
    return IS_OWN.test(symbol) ? "hp-proxy's JavaScript" : "other JavaScript and stubs";
  if (/\/koffi\.node$/.test(object)) return "foreign calls (koffi)";
  if (!/\/node$/.test(object)) return "libc and others";
  if (symbol.startsWith("Builtins_")) return "V8 builtins";
  if (/compiler|maglev|Turbo|Parse|Regexp?Compile|baseline/i.test(symbol)) return "V8 compiling";
  if (/Heap|Scaveng|Mark|Sweep|Evacuat|Gc/.test(symbol)) return "V8 collecting garbage";
  return "Node.js";
}

/**
 * The stack from the outside in, without what lies below the kernel's entry: frames of libraries without frame
 * pointers are guesses there.
 */
export function outermostFirst(stack: readonly Frame[]): string[] {
  if (!isKernel(stack[0]!))
    return stack
      .toReversed()
      .map(readable)
      .filter((name) => name !== "[unknown]");
  const end = stack.findIndex((frame) => !isKernel(frame));
  return stack
    .slice(0, end < 0 ? stack.length : end)
    .toReversed()
    .map(readable);
}

/** `JS:*'parse file:///…/dist/http1/head.js:53:32` is `parse (http1/head.js:53)`. */
export function readable({ symbol }: Frame): string {
  const match =
    /^(?:JS|LazyCompile|Function|Script):[*+~^']*(\S*) \S*?\/(?:src|dist)\/(\S+?):(\d+):\d+$/.exec(symbol);
  return match === null
    ? symbol
    : `${match[1]!.replace(/^'/, "") || "(anonymous)"} (${match[2]}:${match[3]})`;
}

function isKernel({ object }: Frame): boolean {
  return object.startsWith("[kernel") || object.startsWith("[guest.kernel");
}
