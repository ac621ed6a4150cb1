/** Environment variables within the texts of YAML and JSON files. */
import { Problem } from "./values.ts";

const OPENING = "${";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `${VAR}` becomes the value of the variable; `${VAR:-default}` becomes `default` where it is not set or
 * empty; `$${` becomes `${`. A variable that is not set and has no default is a problem.
 */
export function interpolate(text: string, environment: Environment): string | Problem {
  let problem: Problem | undefined;
  const result = text.replaceAll(/\$\$\{|\$\{([^{}]*)\}|\$\{/g, (whole, inner?: string) => {
    if (whole === `$${OPENING}`) return OPENING;
    const match = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inner ?? "");
    if (match === null) {
      problem ??= new Problem(
        "has an incomplete variable",
        `write ${OPENING}NAME}, ${OPENING}NAME:-default}, or $${OPENING} for a plain ${OPENING}`,
      );
      return "";
    }
    const [, name, otherwise] = match;
    const value = Object.hasOwn(environment, name!) ? environment[name!] : undefined;
    if (otherwise !== undefined) return value === undefined || value === "" ? otherwise : value;
    if (value === undefined)
      problem ??= new Problem(
        `needs the variable ${name}, which is not set`,
        `set it, or write \${${name}:-default}`,
      );
    return value ?? "";
  });
  return problem ?? result;
}

/** A text that `interpolate` gives back as `text`. */
export function escapeVariables(text: string): string {
  return text.replaceAll(OPENING, () => `$${OPENING}`);
}
