/**
 * What V8's optimising compiler does otherwise in a worker than by default.
 *
 * A request passes some forty small functions, and by default fewer are joined than pays here. More makes the first
 * second of a worker slower, in which V8 compiles them. And sums of numbers that were whole so far are calculated as
 * integers of 53 bits, which for a counter in a `Float64Array` is a conversion and five checks on each way.
 *
 * These are V8's own flags, which Node.js passes on without a promise: `compiler-flags.test.ts` fails where V8 does not
 * know one any more, and then a worker is as fast as before.
 *
 * @cold
 */
import { setFlagsFromString } from "node:v8";

/** In bytes of bytecode: together within one function, and of one function that is taken in. 920 and 460 without. */
const INLINING_FLAGS = ["--max-inlined-bytecode-size-cumulative=3000", "--max-inlined-bytecode-size=1500"];
const SUM_FLAGS = ["--no-additive-safe-int-feedback"];
/** The first V8 that surely knows `SUM_FLAGS`: that of Node.js 26. */
const SUM_FLAGS_SINCE = [14, 6] as const;

/** Those that `v8Version` (`process.versions.v8`) knows. */
export function compilerFlags(v8Version: string): readonly string[] {
  const [major = 0, minor = 0] = v8Version.split(".").map(Number);
  const [sinceMajor, sinceMinor] = SUM_FLAGS_SINCE;
  const hasSums = major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  return hasSums ? [...INLINING_FLAGS, ...SUM_FLAGS] : INLINING_FLAGS;
}

/**
 * Applies to the whole process, and to what is optimised from now on. Comes behind `flushCompileCache`: V8 takes no
 * compiled code from a cache that was written under other flags than it began with.
 */
export function tuneCompiler(): void {
  for (const flag of compilerFlags(process.versions.v8)) setFlagsFromString(flag);
}
