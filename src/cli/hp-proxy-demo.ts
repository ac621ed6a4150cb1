/** `hp-proxy demo`: a proxy over three backends of its own, to look at in a minute. */
import { fileURLToPath } from "node:url";
import { errorsText } from "../config/config-error.ts";
import { readArguments } from "../control/arguments.ts";
import { DemoFailed, startDemoBackends } from "../control/demo.ts";
import type { Environment } from "../control/options.ts";
import { PROXY_FLAGS, readConfiguration } from "../control/read-configuration.ts";
import { ExitStatus, runProxy } from "../control/run.ts";
import { packageVersion } from "../package-version.ts";

const BACKENDS = 3;
/**
 * Stands for the backends while the flags are checked: their ports are not known before they have started.
 */
const PLACEHOLDER = "127.0.0.1:1";

const HELP = `hp-proxy demo: a proxy on :8080 over three backends of its own

  hp-proxy demo [--port 8080] [any other flag of hp-proxy but --backends and --config]

Ctrl-C stops it all.
`;

/** Resolves to the exit status. */
export async function runDemo(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readArguments(argv, { ...PROXY_FLAGS, strayRemedy: "write flags, like --port 8080" });
  if (given.switches.has("help")) {
    process.stdout.write(HELP);
    return ExitStatus.done;
  }
  const errors = [...given.errors];
  for (const flag of ["backends", "config"]) {
    if (!given.values.has(flag)) continue;
    const remedy = "the demo has its own; run hp-proxy without demo";
    errors.push({ source: `--${flag}`, reason: "has no place here", remedy });
  }
  const read = (backends: readonly string[]) =>
    readConfiguration(
      { ...given, errors, values: new Map([...given.values, ["backends", backends]]) },
      environment,
    );
  const checked = read([PLACEHOLDER]);
  if ("errors" in checked) {
    process.stderr.write(errorsText("hp-proxy demo", checked.errors));
    return ExitStatus.failed;
  }
  return await runWithBackends(read, environment);
}

async function runWithBackends(
  read: (backends: readonly string[]) => ReturnType<typeof readConfiguration>,
  environment: Environment,
): Promise<number> {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const program = fileURLToPath(new URL(`./demo-backend${extension}`, import.meta.url));
  try {
    const backends = await startDemoBackends(program, BACKENDS);
    try {
      const result = read(backends.addresses);
      if ("errors" in result) return ExitStatus.failed;
      return await runProxy(
        { ...result, files: [] },
        {
          version: packageVersion(),
          environment,
          up: ({ addresses }) => {
            process.stdout.write(
              welcome(addresses[0]!, backends.addresses, result.configuration.controlPath),
            );
          },
        },
      );
    } finally {
      await backends.stop();
    }
  } catch (error) {
    if (!(error instanceof DemoFailed)) throw error;
    process.stderr.write(`hp-proxy demo: ${error.message}\n`);
    return ExitStatus.failed;
  }
}

/** In a checkout the commands are not on PATH. */
const BIN = import.meta.url.endsWith(".ts") ? "bin/" : "";

function welcome(address: string, backends: readonly string[], controlPath: string): string {
  const control = controlPath === "" ? "" : ` --control ${controlPath}`;
  const reachable = address.replace(/^(\[::\]|0\.0\.0\.0):/, "localhost:");
  return `
hp-proxy demo: http://${reachable}/ in front of ${backends.join(", ")}

  curl -i http://${reachable}/hello
  ${BIN}hp-bench ${reachable} 100 10
  ${BIN}hp-proxy stats --watch${control}

Ctrl-C stops it all.

`;
}
