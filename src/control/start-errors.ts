/** Errors that a start, or a change, can fail with for a reason that we know. */
import { AdminFailed } from "./admin.ts";
import { NoAddress } from "./backends.ts";
import { ControlUnavailable } from "./control-socket.ts";
import { BootFailed } from "./fleet.ts";
import { ListenFailed } from "./listeners.ts";
import { TakeOverRefused } from "./predecessor.ts";
import { HooksRefused, NeedsRestart } from "./supervisor.ts";
import { TooManyWorkers } from "./worker-count.ts";

const EXPECTED = [
  AdminFailed,
  BootFailed,
  ControlUnavailable,
  HooksRefused,
  ListenFailed,
  NeedsRestart,
  NoAddress,
  TakeOverRefused,
  TooManyWorkers,
];

/** A sentence for people; undefined for what is our own mistake. */
export function sentenceOf(error: unknown): string | undefined {
  if (!EXPECTED.some((kind) => error instanceof kind)) return undefined;
  const { message } = error as Error;
  return error instanceof BootFailed ? `a worker could not start: ${message}` : message;
}
