/** Which running proxy a command asks: by process number, by `--control`, or the only one of this user. */
import { type Arguments, type KnownFlags, readArguments } from "../control/arguments.ts";
import {
  ControlUnavailable,
  controlFolder,
  defaultControlPath,
  findProxies,
} from "../control/control-socket.ts";
import type { Environment } from "../control/options.ts";

/** Flags of a command that asks a proxy; `more` are its own. */
export function askingFlags(more: Partial<KnownFlags> = {}): KnownFlags {
  const valued = ["control", ...(more.valued ?? [])];
  return {
    valued,
    switches: [...(more.switches ?? []), "help"],
    short: { ...more.short, h: "help" },
    filled: valued,
    words: 1,
    strayRemedy: "one PID is enough",
  };
}

/** The arguments of a command that asks a proxy: a number that stands alone is a process. */
export function readAsking(argv: readonly string[], flags: KnownFlags): Arguments {
  const given = readArguments(argv, flags);
  const [pid] = given.words;
  if (pid === undefined) return given;
  const errors = [...given.errors];
  if (!/^[1-9]\d{0,9}$/.test(pid))
    errors.push({
      source: pid === "" ? '""' : pid,
      reason: "is not the number of a process",
      remedy: "write the PID of an hp-proxy, or --control PATH",
    });
  for (const flag of flags.valued)
    if (given.values.has(flag))
      errors.push({
        source: `--${flag}`,
        reason: `stands beside process ${pid}`,
        remedy: "keep one of them",
      });
  return { ...given, errors };
}

/** The control socket to ask. Rejects with `ControlUnavailable` where that is open. */
export async function askedPath(given: Arguments, environment: Environment): Promise<string> {
  const folder = controlFolder(environment);
  const [pid] = given.words;
  if (pid !== undefined) return defaultControlPath(folder, Number(pid));
  const named = given.values.get("control")?.at(-1) ?? environment.HP_PROXY_CONTROL ?? "";
  if (named !== "") return named;
  const all = await findProxies(folder);
  // Those that end are of no interest beside others.
  const serving = all.filter(({ report }) => !report.draining);
  const found = serving.length > 0 ? serving : all;
  if (found.length === 1) return found[0]!.path;
  if (found.length === 0) {
    throw new ControlUnavailable(
      `no proxy of this user is running (looked in ${folder}); --control says where else to look`,
    );
  }
  const choices = found.map(
    ({ path, report }) => `  --control ${path}   pid ${report.pid}, ${report.addresses.join(", ")}`,
  );
  throw new ControlUnavailable(`several proxies are running, choose one:\n${choices.join("\n")}`);
}
