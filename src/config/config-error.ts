/** One thing wrong with a configuration, and how all of them are told. */

export interface ConfigError {
  /** Where it stands: `--port`, `HP_PROXY_PORT`, `hp-proxy.config.yaml:7:5`; "" in a value of a program. */
  readonly source: string;
  /** In a file: which value, `clusters.app.backends[2]`. */
  readonly path?: string;
  /** What is written there. */
  readonly value?: string;
  /** Reason and remedy are parts of a sentence: `--port "x": REASON; REMEDY`. */
  readonly reason: string;
  readonly remedy: string;
}

const VALUE_CHARACTERS_MAX = 80;

/** `--port "x": is not a whole number; write a number from 0 to 65535`. */
export function errorText({ source, path, value, reason, remedy }: ConfigError): string {
  const words = [source, path ?? ""].filter((word) => word !== "");
  if (words.length === 0) words.push("the configuration");
  if (value !== undefined) words.push(quoted(value));
  return `${words.join(" ")}: ${reason}; ${remedy}`;
}

/** All errors as text for standard error. */
export function errorsText(
  command: string,
  errors: readonly ConfigError[],
  outcome = ", nothing was started",
): string {
  const count = errors.length === 1 ? "an error" : `${errors.length} errors`;
  const where = errors.some(({ path }) => path !== undefined) ? "configuration" : "options";
  const lines = errors.map((error) => `  ${errorText(error)}\n`);
  return `${command}: ${count} in the ${where}${outcome}\n${lines.join("")}`;
}

function quoted(value: string): string {
  return JSON.stringify(
    value.length <= VALUE_CHARACTERS_MAX ? value : `${value.slice(0, VALUE_CHARACTERS_MAX)}…`,
  );
}
