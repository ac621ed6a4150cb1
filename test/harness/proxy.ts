/** The real proxy in front of a test's backends, and its figures. */

import { readStats } from "../../src/control/control-socket.ts";
import type { StatsReport } from "../../src/control/stats-report.ts";
import { ProxyProcess, type Scope } from "../e2e/proxy-process.ts";
import type { SocketEngine } from "./engines.ts";

/**
 * Starts `hp-proxy` with one worker, unless `argv` says otherwise; health checks go on the way they do by
 * default.
 */
export function startProxy(
  scope: Scope,
  engine: SocketEngine,
  backends: readonly string[],
  argv: readonly string[] = [],
): Promise<ProxyProcess> {
  const workers = argv.includes("--workers") ? [] : ["--workers", "1"];
  return ProxyProcess.start(scope, backends, ["--engine", engine, ...workers, ...argv]);
}

/** What `hp-proxy stats --json` would print. */
export function statsOf(proxy: ProxyProcess): Promise<StatsReport> {
  return readStats(`${proxy.runtimeFolder}/hp-proxy/${proxy.child.pid}.sock`);
}

/** Asks for figures again and again until they fit; the test's own time limit ends what never comes. */
export async function statsWhen(
  proxy: ProxyProcess,
  fits: (report: StatsReport) => boolean,
): Promise<StatsReport> {
  for (;;) {
    const report = await statsOf(proxy);
    if (fits(report)) return report;
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
}
