/** `hp-proxy stats`: asks a running proxy for its figures and shows them, once or again and again. */
import { once } from "node:events";
import { errorsText } from "../config/config-error.ts";
import { ControlUnavailable, readStats } from "../control/control-socket.ts";
import type { Environment } from "../control/options.ts";
import { statsText } from "../control/stats-table.ts";
import { askedPath, askingFlags, readAsking } from "./asked-proxy.ts";

const FLAGS = askingFlags({ switches: ["watch", "json"], short: { w: "watch" } });

const HELP = `hp-proxy stats: figures of a running proxy

  hp-proxy stats                 once, those of the only proxy of this user
  hp-proxy stats PID             those of that process
  hp-proxy stats --watch         again every second, until Ctrl-C

  -w, --watch                    show them live
  --json                         as JSON, for programs (with --watch: one line each)
  --control PATH                 ask here (HP_PROXY_CONTROL); needed when several proxies run
  -h, --help                     this text
`;

const WATCH_MS = 1_000;
const CLEAR = "\x1b[H\x1b[2J\x1b[3J";

/** Resolves to the exit status. */
export async function runStats(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readAsking(argv, FLAGS);
  const { switches, errors } = given;
  if (errors.length > 0) {
    process.stderr.write(errorsText("hp-proxy stats", errors, ""));
    return 1;
  }
  if (switches.has("help")) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    const path = await askedPath(given, environment);
    await show(path, switches.has("watch"), switches.has("json"));
    return 0;
  } catch (error) {
    if (!(error instanceof ControlUnavailable)) throw error;
    process.stderr.write(`hp-proxy stats: ${error.message}\n`);
    return 1;
  }
}

async function show(path: string, watch: boolean, json: boolean): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  // As in `hp-proxy stats --watch | head`.
  process.stdout.on("error", () => stop.abort());
  const clear = watch && !json && process.stdout.isTTY === true ? CLEAR : "";
  for (;;) {
    const report = await readStats(path);
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : clear + statsText(report));
    if (!watch || (await aborted(stop.signal, WATCH_MS))) return;
  }
}

/** Waits; true when told to stop meanwhile. */
async function aborted(signal: AbortSignal, waitMs: number): Promise<boolean> {
  if (signal.aborted) return true;
  const wake = new AbortController();
  const timer = setTimeout(() => wake.abort(), waitMs);
  await Promise.race([once(signal, "abort"), once(wake.signal, "abort")]);
  clearTimeout(timer);
  return signal.aborted;
}
