/**
 * Installs peers for the comparison into the cache folder (bench/cache.ts), and says what is there.
 *
 *     npm run bench:install -- --help
 *
 * npm packages by npm, Caddy as Debian's package, unpacked and not
 * installed. nginx, HAProxy, wrk, Go and gcc belong to the system: what is missing is named with the command
 * that brings it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { cacheDirectory } from "./cache.ts";
import { runCommand } from "./command.ts";
import { NPM_PACKAGES } from "./contenders/npm.ts";
import { PROXIES } from "./contenders.ts";
import { stopAll, temporaryDirectory, versionLine } from "./programs.ts";

const HELP = `Fetches what hp-proxy is compared with into a cache folder, and says what is there.

  npm run bench:install -- [options]

  --npm                packages of npm only

The folder is $HP_PROXY_BENCH_CACHE, or ~/.cache/hp-proxy-bench. Exit status 1: a package of npm is missing.
`;

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

/** Returns whether they are there. */
function installNpm(cache: string): boolean {
  const directory = path.join(cache, "npm");
  mkdirSync(directory, { recursive: true });
  const args = ["install", "--prefix", ".", "--no-audit", "--no-fund", "--ignore-scripts", ...NPM_PACKAGES];
  if (run("npm", args, directory)) return true;
  say("npm packages could not be installed");
  return false;
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

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { npm: { type: "boolean", default: false } } });
  const cache = cacheDirectory();
  mkdirSync(cache, { recursive: true });
  say(`cache folder: ${cache}`);
  const status = installNpm(cache) ? 0 : 1;
  if (values.npm) return status;
  if (versionLine(["caddy", "version"]) === undefined) installCaddy(cache);
  const missing = SYSTEM.filter(([command]) => versionLine(command) === undefined).map(([, name]) => name);
  if (missing.length > 0) say(`for the rest: apt-get install ${missing.join(" ")}`);
  const directory = temporaryDirectory();
  for (const { name, find } of PROXIES) {
    const found = await find(directory).catch((error: Error) => error.message);
    say(`${name}: ${typeof found === "string" ? `left out: ${found}` : found.version}`);
  }
  return status;
}

if (import.meta.main) {
  try {
    await runCommand("install", HELP, main);
  } finally {
    await stopAll();
  }
}
