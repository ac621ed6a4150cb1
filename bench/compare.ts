/**
 * Compares hp-proxy with other proxies: CPU time per request, throughput, latency and memory.
 *
 *     npm run bench -- --help
 *
 * Needs Linux with two cores and `taskset`; every peer that is not installed is left out and named.
 */
import { writeFileSync } from "node:fs";
import { runCommand } from "./command.ts";
import { PROXIES } from "./contenders.ts";
import { GENERATORS } from "./load.ts";
import { describeMachine, withoutPlaces, writeMachine } from "./machine.ts";
import { COMPARE_HELP, type CompareOptions, chooseByName, parseCompareOptions } from "./options.ts";
import { stopAll } from "./programs.ts";
import { type ScenarioResult, writeScenario } from "./report.ts";
import { SERVERS } from "./servers.ts";
import { progress, Stage } from "./stage.ts";

function write(text: string): void {
  progress("");
  process.stdout.write(`${text}\n`);
}

function rawText(raw: object): string {
  return `${withoutPlaces(JSON.stringify(raw, undefined, 1))}\n`;
}

/** Names of contenders that no table has. */
function checkNames(options: CompareOptions): void {
  chooseByName<{ readonly name: string }>([...PROXIES, ...SERVERS, ...GENERATORS], options.only);
  chooseByName(GENERATORS, [options.load]);
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseCompareOptions(argv);
  checkNames(options);
  const machine = describeMachine();
  write(`${writeMachine(machine)}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s each, interleaved; medians, lowest and highest\n`);
  const stage = new Stage(options);
  const results: ScenarioResult[] = [];
  for (const scenario of options.scenarios) {
    const result = await stage.run(scenario);
    results.push(result);
    write(`${writeScenario(result)}\n`);
    // After each scenario, so that what was measured outlives an interruption.
    if (options.jsonPath !== "")
      writeFileSync(options.jsonPath, rawText({ machine, options, results, setups: await stage.setups() }));
  }
  const versions = new Map(results.flatMap(({ series }) => series.map((one) => [one.title, one.version])));
  write(`Versions: ${[...versions].map(([title, version]) => `${title} (${version})`).join(", ")}`);
  return 0;
}

if (import.meta.main) {
  try {
    await runCommand("bench", COMPARE_HELP, main);
  } finally {
    await stopAll();
  }
}
