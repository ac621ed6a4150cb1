/**
 * How much of what a function calls V8's optimising compiler takes into it, in a worker.
 *
 * A request passes some forty small functions, and by default fewer are joined than pays here. More makes the first
 * second of a worker slower, in which V8 compiles them. These are V8's own flags, which Node.js passes on without a
 * promise: `inlining.test.ts` fails where V8 does not know one any more, and then a worker is as fast as before.
 *
 * @cold
 */
import { setFlagsFromString } from "node:v8";

/** In bytes of bytecode: together within one function, and of one function that is taken in. 920 and 460 without. */
export const INLINING_FLAGS: readonly string[] = [
  "--max-inlined-bytecode-size-cumulative=3000",
  "--max-inlined-bytecode-size=1500",
];

/**
 * Applies to the whole process, and to what is optimised from now on. Comes behind `flushCompileCache`: V8 takes no
 * compiled code from a cache that was written under other flags than it began with.
 */
export function inlineMore(): void {
  for (const flag of INLINING_FLAGS) setFlagsFromString(flag);
}
