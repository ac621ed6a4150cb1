/**
 * Fuzzes for a while: every `*.fuzz.ts`, round after round, each round with new seeds and more inputs than the
 * test suite takes.
 *
 *     npm run fuzz -- --minutes 10 [part of a path…]
 *
 * A failure ends it and prints the seed and the smallest input; `FUZZ_SEED=S npm run tests -- PART` replays.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

const ROOT = path.dirname(import.meta.dirname);
/** Inputs of each property in a round. */
const ROUND_RUNS = 20_000;
/** The same where one input takes a millisecond and more: other programs, whole configurations. */
const SLOW_ROUND_RUNS = 1_000;
const SLOW = /next-hops|read-configuration/;

const { values, positionals } = parseArgs({
  options: { minutes: { type: "string", default: "1" } },
  allowPositionals: true,
});
const minutes = Number(values.minutes);
const files = globSync("{src,test}/**/*.fuzz.ts", { cwd: ROOT })
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort();
if (!(minutes > 0) || files.length === 0) {
  process.stderr.write("usage: npm run fuzz -- --minutes N [part of a path...]\n");
  process.exit(2);
}
const endMs = Date.now() + minutes * 60_000;
let rounds = 0;
while (Date.now() < endMs) {
  for (const file of files) {
    if (Date.now() >= endMs) break;
    const runs = SLOW.test(file) ? SLOW_ROUND_RUNS : ROUND_RUNS;
    const env = { ...process.env, FUZZ_RUNS: `${runs}` };
    const { status } = spawnSync(process.execPath, ["--test", file], { cwd: ROOT, env, stdio: "inherit" });
    if (status !== 0) process.exit(1);
  }
  rounds++;
}
process.stdout.write(`${rounds} whole rounds of ${files.length} files, and nothing found\n`);
