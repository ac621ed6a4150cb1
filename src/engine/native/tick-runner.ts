/**
 * What Node does between two timers, for a loop that runs inside of one of Node's own calls.
 *
 * What a tick throws must not leave that call: it leaves the context of the tick on Node's stack of asynchronous
 * contexts, and Node ends a process where it finds that when the call is back.
 */
import { inspect } from "node:util";

/** Not declared, and there since Node's first versions. */
interface Inner {
  readonly _tickCallback?: () => void;
  /** Tells who listens for uncaught exceptions, and empties that stack. `false`: nobody does. */
  readonly _fatalException?: (error: unknown, fromPromise: boolean) => boolean;
}

/**
 * Runs what `process.nextTick` and promises have queued; absent: a pass of Node does it. Exceptions become uncaught
 * ones, which end the process where nobody listens for them.
 */
export function tickRunner(): (() => void) | undefined {
  const { _tickCallback: run, _fatalException: isCaught } = process as unknown as Inner;
  if (typeof run !== "function" || typeof isCaught !== "function") return undefined;
  return () => {
    try {
      run();
    } catch (error) {
      if (isCaught(error, false)) return;
      process.stderr.write(`Uncaught ${inspect(error)}\n`);
      process.exit();
    }
  };
}
