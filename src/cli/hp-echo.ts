/** The command hp-echo: a backend for tests and measurements. */
import { isIP } from "node:net";
import { type ConfigError, errorsText } from "../config/config-error.ts";
import { Problem, readInteger } from "../config/values.ts";
import { readArguments } from "../control/arguments.ts";
import { raiseOpenFileLimit } from "../echo/open-file-limit.ts";
import type { EchoOptions } from "../echo/start-echo.ts";
import { startEchoWorkers } from "../echo/workers.ts";
import type { EngineChoice } from "../engine/choose.ts";
import { packageVersion } from "../package-version.ts";

const HELP = `hp-echo: an HTTP backend that answers any request with what it saw

Usage
  hp-echo --port 9001 [options]

Options
  --port N         port to listen on; 0 takes a free one (default 9001)
  --host ADDRESS   address to listen on (default 127.0.0.1)
  --body-bytes N   answer with a fixed body of N bytes instead
  --delay-ms N     wait before every answer (default 0)
  --workers N      processes that share the port (default 1)
  --engine ENGINE  auto, uring, epoll or net (default auto)
  --help, --version

Paths
  /health       200 ok                      /status/NNN  an answer with this status
  /chunked      a chunked body              /bytes/N     N bytes: 0x30 + i mod 73
  /events       server-sent events          /slow/MS     answers after MS milliseconds
  /ws           WebSocket echo              /upload      length and SHA-256 of the body
  /close        closes the connection       anything else is echoed as JSON

/events takes ?interval=MS&count=N. The first line on standard output is
"listening on ADDRESS:PORT". Exit status 0 after SIGINT or SIGTERM.
`;

const VALUED = ["port", "host", "body-bytes", "delay-ms", "workers", "engine"];
const ENGINES = ["auto", "uring", "epoll", "net"];
const BODY_BYTES_MAX = 2 ** 40;
const DELAY_MS_MAX = 600_000;
const WORKERS_MAX = 256;
const DEFAULT_PORT = 9001;

/** Runs the command until a signal ends it. Returns the exit status. */
export async function main(argv: readonly string[], _env: NodeJS.ProcessEnv): Promise<number> {
  const { values, switches, errors } = readArguments(argv, {
    valued: VALUED,
    switches: ["help", "version"],
    short: { h: "help" },
  });
  if (switches.has("help")) return print(HELP);
  if (switches.has("version")) return print(`hp-echo ${packageVersion()}\n`);
  const problems = [...errors];
  const number = (flag: string, fallback: number, min: number, max: number): number => {
    const text = values.get(flag)?.at(-1);
    if (text === undefined) return fallback;
    const value = readInteger(text, min, max);
    if (!(value instanceof Problem)) return value;
    problems.push({ source: `--${flag}`, value: text, reason: value.reason, remedy: value.remedy });
    return fallback;
  };
  const host = values.get("host")?.at(-1) ?? "127.0.0.1";
  if (isIP(host) === 0) {
    const remedy = "write 127.0.0.1, ::1, 0.0.0.0 or another address of this machine";
    problems.push({ source: "--host", value: host, reason: "is not an IP address", remedy });
  }
  const options: EchoOptions = {
    host,
    port: number("port", DEFAULT_PORT, 0, 65_535),
    bodyBytes: number("body-bytes", -1, 0, BODY_BYTES_MAX),
    delayMs: number("delay-ms", 0, 0, DELAY_MS_MAX),
    engine: engineOf(values.get("engine")?.at(-1) ?? "auto", problems),
  };
  const workers = number("workers", 1, 1, WORKERS_MAX);
  if (problems.length > 0) {
    process.stderr.write(errorsText("hp-echo", problems));
    return 1;
  }
  return await serve(options, workers);
}

function engineOf(text: string, problems: ConfigError[]): EngineChoice {
  if (ENGINES.includes(text)) return text as EngineChoice;
  const reason = "is not an engine";
  problems.push({ source: "--engine", value: text, reason, remedy: `write one of ${ENGINES.join(", ")}` });
  return "auto";
}

async function serve(options: EchoOptions, workers: number): Promise<number> {
  // From here on a signal ends the command well, even if it comes before it listens.
  const asked = new Promise<null>((resolve) => {
    process.once("SIGINT", () => resolve(null));
    process.once("SIGTERM", () => resolve(null));
  });
  await raiseOpenFileLimit();
  try {
    const echo = await startEchoWorkers(options, workers);
    print(`listening on ${echo.first.address}\n`);
    const reason = await Promise.race([asked, echo.died]);
    if (reason !== null) process.stderr.write(`hp-echo: ${reason}\n`);
    await echo.close();
    return reason === null ? 0 : 1;
  } catch (error) {
    process.stderr.write(`hp-echo: ${sentence(error, options)}\n`);
    return 1;
  }
}

function sentence(error: unknown, options: EchoOptions): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const address = `${options.host}:${options.port}`;
  if (code === "EADDRINUSE") return `${address} is in use; choose another --port, or 0 for a free one`;
  if (code === "EACCES") return `${address} is not ours to listen on; choose a port above 1023`;
  return error instanceof Error ? error.message : String(error);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
