/**
 * Becomes one contender of the comparison, with the configuration that it has there.
 *
 *     node bench/docker/serve.ts NAME PORT [BACKEND-PORT...]
 *
 * NAME is one of bench/contenders.ts, or `backend` (nginx, small answers and files) or `echo` (hp-echo).
 * Listens on 127.0.0.1. This process turns into the contender (execve), so that signals and CPU time are its
 * own.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Contender } from "../contenders/contender.ts";
import { PROXIES } from "../contenders.ts";
import { chooseByName } from "../options.ts";
import { BACKEND, ECHO_BACKEND } from "../servers.ts";

const SERVERS: readonly Contender[] = [{ ...BACKEND, name: "backend" }, ECHO_BACKEND];

async function main([name, ...ports]: readonly string[]): Promise<void> {
  const [port, ...backendPorts] = ports.map(Number);
  if (name === undefined || port === undefined || !ports.every((text) => Number(text) > 0))
    throw new Error("usage: serve.ts NAME PORT [BACKEND-PORT...]");
  const contender = chooseByName([...PROXIES, ...SERVERS], [name])[0]!;
  // Not among the temporary directories of the comparison: those end with this process image.
  const found = await contender.find(mkdtempSync(path.join(os.tmpdir(), "hp-proxy-contender-")));
  if (typeof found === "string") throw new Error(`${name}: ${found}`);
  const argv = found.argv(port, backendPorts, false);
  process.stderr.write(`${contender.title} (${found.version}) on port ${port}\n`);
  process.execve!(whereIs(argv[0]!), [...argv], { ...definedEnvironment(), ...found.env });
}

/** The file of a command: execve does not search PATH. */
function whereIs(command: string): string {
  if (command.includes("/")) return command;
  return execFileSync("sh", ["-c", 'command -v "$1"', "sh", command], { encoding: "utf8" }).trim();
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
