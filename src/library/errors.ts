/** What a proxy in a program rejects with. Messages are for people, as the command writes them. */
import { type ConfigError, errorText } from "../config/config-error.ts";
import { AdminFailed } from "../control/admin.ts";
import { NoAddress } from "../control/backends.ts";
import { ControlUnavailable } from "../control/control-socket.ts";
import { BootFailed } from "../control/fleet.ts";
import { ListenFailed } from "../control/listeners.ts";
import { sentenceOf } from "../control/start-errors.ts";
import { NeedsRestart } from "../control/supervisor.ts";
import { TooManyWorkers } from "../control/worker-count.ts";
import { ConfigurationError, ProxyError, type ProxyErrorCode } from "./proxy-error.ts";

const CODES: readonly (readonly [abstract new (...given: never[]) => Error, ProxyErrorCode])[] = [
  [ListenFailed, "listen-failed"],
  [NoAddress, "no-address"],
  [BootFailed, "boot-failed"],
  [AdminFailed, "admin-failed"],
  [ControlUnavailable, "control-failed"],
  [NeedsRestart, "needs-restart"],
  [TooManyWorkers, "too-many-workers"],
];

/** All that is wrong, as one error. */
export function configurationError(errors: readonly ConfigError[]): ConfigurationError {
  const texts = errors.map((error) => errorText(error));
  const message =
    texts.length === 1 ? texts[0]! : `${texts.length} errors in the configuration\n  ${texts.join("\n  ")}`;
  const problems = errors.map(({ source, path = "", value, reason, remedy }) => {
    const where = source === "" ? {} : { source };
    return { ...where, path, ...(value === undefined ? {} : { value }), reason, remedy };
  });
  return new ConfigurationError(message, problems);
}

/** What a start failed with: in words where the reason is known, else as it came. */
export function startError(error: unknown): unknown {
  const sentence = sentenceOf(error);
  const code = CODES.find(([kind]) => error instanceof kind)?.[1];
  return sentence === undefined || code === undefined ? error : new ProxyError(code, sentence, error);
}
