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
import { runCommand, WrongArguments } from "../bench/command.ts";

const ROOT = path.dirname(import.meta.dirname);
/** Inputs of each property in a round. */
const ROUND_RUNS = 20_000;
/** The same where one input takes a millisecond and more: other programs, whole configurations. */
const SLOW_ROUND_RUNS = 1_000;
const SLOW = /next-hops|read-configuration/;

const HELP = `Fuzzes for a while: every *.fuzz.ts with new seeds, until something is found.

  npm run fuzz -- [options] [part of a path...]

  --minutes N          how long (1)
`;

function fuzz(files: readonly string[], minutes: number): number {
  const endMs = Date.now() + minutes * 60_000;
  let rounds = 0;
  while (Date.now() < endMs) {
    for (const file of files) {
      if (Date.now() >= endMs) break;
      const runs = SLOW.test(file) ? SLOW_ROUND_RUNS : ROUND_RUNS;
      const env = { ...process.env, FUZZ_RUNS: `${runs}` };
      const { status } = spawnSync(process.execPath, ["--test", file], { cwd: ROOT, env, stdio: "inherit" });
      if (status !== 0) return 1;
    }
    rounds++;
  }
  process.stdout.write(`${rounds} whole rounds of ${files.length} files, and nothing found\n`);
  return 0;
}

await runCommand("fuzz", HELP, async (argv) => {
  const options = { minutes: { type: "string", default: "1" } } as const;
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  const minutes = Number(values.minutes);
  if (!(minutes > 0))
    throw new WrongArguments(`--minutes: "${values.minutes}" is not a number above 0; write --minutes 5`);
  const files = globSync("{src,test}/**/*.fuzz.ts", { cwd: ROOT })
    .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
    .sort();
  if (files.length === 0)
    throw new WrongArguments(`no *.fuzz.ts has ${positionals.join(" or ")} in its path`);
  return fuzz(files, minutes);
});
