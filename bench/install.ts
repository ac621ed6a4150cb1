/**
 * Installs peers for the comparison into the cache folder (bench/cache.ts), and says what is there.
 *
 *     bench/run.sh --install
 *
 * With `--npm` packages of npm only. npm packages by npm, Caddy as Debian's package, unpacked and not
 * installed. nginx, HAProxy, wrk, Go and gcc belong to the system: what is missing is named with the command
 * that brings it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheDirectory } from "./cache.ts";
import { NPM_PACKAGES } from "./contenders/npm.ts";
import { PROXIES } from "./contenders.ts";
import { stopAll, temporaryDirectory, versionLine } from "./programs.ts";

/** Programs of the system, each with its package in Debian. */
const SYSTEM: readonly (readonly [command: readonly string[], name: string])[] = [
  [["nginx", "-v"], "nginx-light"],
  [["haproxy", "-v"], "haproxy"],
  [["wrk", "-v"], "wrk"],
  [["go", "version"], "golang-go"],
  [["gcc", "-dumpfullversion"], "gcc"],
  [["taskset", "--version"], "util-linux"],
];

function run(command: string, args: readonly string[], cwd: string): boolean {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  return error === undefined && status === 0;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function installNpm(cache: string): void {
  const directory = path.join(cache, "npm");
  mkdirSync(directory, { recursive: true });
  const args = ["install", "--prefix", ".", "--no-audit", "--no-fund", "--ignore-scripts", ...NPM_PACKAGES];
  if (run("npm", args, directory)) return;
  say("npm packages could not be installed");
  process.exitCode = 1;
}

/** Fetches the package as an ordinary user may, and unpacks it. */
function installCaddy(cache: string): void {
  const directory = path.join(cache, "debian");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  if (!run("apt-get", ["download", "caddy"], directory)) {
    say("Caddy could not be fetched: this needs Debian or Ubuntu, and `apt-get update` may be due");
    return;
  }
  const file = readdirSync(directory).find((name) => name.endsWith(".deb"))!;
  if (!run("dpkg-deb", ["--extract", file, "."], directory)) say("Caddy could not be unpacked");
}

async function main(): Promise<void> {
  const cache = cacheDirectory();
  mkdirSync(cache, { recursive: true });
  say(`cache folder: ${cache}`);
  installNpm(cache);
  if (process.argv.includes("--npm")) return;
  if (versionLine(["caddy", "version"]) === undefined) installCaddy(cache);
  const missing = SYSTEM.filter(([command]) => versionLine(command) === undefined).map(([, name]) => name);
  if (missing.length > 0) say(`for the rest: apt-get install ${missing.join(" ")}`);
  const directory = temporaryDirectory();
  for (const { name, find } of PROXIES) {
    const found = await find(directory).catch((error: Error) => error.message);
    say(`${name}: ${typeof found === "string" ? `left out: ${found}` : found.version}`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } finally {
    await stopAll();
  }
}
