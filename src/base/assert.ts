/**
 * Assertions: our own mistakes only. Whatever a peer can send is a `Fault`; whatever a kernel can answer is
 * an errno.
 */

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/**
 * Throws when `condition` is false. `text` is a constant that states what holds, so that nothing is built
 * when it does.
 */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new AssertionError(`broken invariant: ${text}`);
}
