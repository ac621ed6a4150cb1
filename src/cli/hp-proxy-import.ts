/** `hp-proxy import`: a configuration of nginx as one of this proxy. */
import { existsSync, writeFileSync } from "node:fs";
import { type ConfigError, errorsText } from "../config/config-error.ts";
import { type KnownFlags, readArguments } from "../control/arguments.ts";
import { warningText } from "../import/findings.ts";
import { importNginx } from "../import/import-nginx.ts";

const HELP = `hp-proxy import: makes a configuration of one of nginx

  hp-proxy import nginx.conf                    writes YAML to standard output
  hp-proxy import nginx.conf -o FILE.yaml       writes it to a file

  -o, --output FILE              where to write
  --force                        overwrite that file
  --strict                       exit status 1 where anything differs; nothing is written then
  --prefix DIR                   what relative includes are relative to (the folder of nginx.conf)
  --listener ADDRESS             only what listens there, as nginx.conf writes it: 80, 127.0.0.1:8081
  -h, --help                     this text

Everything that is not the same here is a warning on standard error, with its line and what to do.
Exit status 0: a valid configuration was written; 1: it was not, and every error is told.
`;

const FLAGS: KnownFlags = {
  valued: ["output", "prefix", "listener"],
  switches: ["force", "strict", "help"],
  short: { o: "output", h: "help" },
  filled: ["output", "prefix", "listener"],
  words: 1,
  strayRemedy: "name one file; what it includes is read with it",
};

/** Returns the exit status. */
export function runImport(argv: readonly string[]): number {
  const given = readArguments(argv, FLAGS);
  if (given.switches.has("help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const [file = ""] = given.words;
  const last = (name: string) => given.values.get(name)?.at(-1);
  const output = last("output");
  const errors: ConfigError[] = [...given.errors];
  if (file === "")
    errors.push({ source: "hp-proxy import", reason: "has no file", remedy: "name one, like nginx.conf" });
  if (output !== undefined && existsSync(output) && !given.switches.has("force"))
    errors.push({ source: output, reason: "is there already", remedy: "name another file, or say --force" });
  if (errors.length > 0) {
    process.stderr.write(errorsText("hp-proxy import", errors, ", nothing was written"));
    return 1;
  }
  const result = importNginx(file, { prefix: last("prefix"), listener: last("listener") });
  if ("errors" in result) {
    const count = result.errors.length === 1 ? "an error" : `${result.errors.length} errors`;
    const lines = result.errors.map((line) => `  ${line}\n`).join("");
    process.stderr.write(`hp-proxy import: ${count}, nothing was written\n${lines}`);
    return 1;
  }
  for (const warning of result.warnings)
    process.stderr.write(`hp-proxy import: warning: ${warningText(warning)}\n`);
  if (given.switches.has("strict") && result.warnings.length > 0) {
    process.stderr.write("hp-proxy import: nothing was written, because of --strict\n");
    return 1;
  }
  return written(output, result.yaml);
}

function written(output: string | undefined, yaml: string): number {
  if (output === undefined) {
    process.stdout.write(yaml);
    return 0;
  }
  try {
    writeFileSync(output, yaml);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    process.stderr.write(`hp-proxy import: ${output} cannot be written: ${code}\n`);
    return 1;
  }
  process.stderr.write(`hp-proxy import: wrote ${output}; hp-proxy check -c ${output} looks at it\n`);
  return 0;
}
