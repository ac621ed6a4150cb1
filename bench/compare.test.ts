/** The parts of the comparison that read, count and print; and one short run of the whole. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { nginxVersion } from "./contenders/nginx.ts";
import { PROXIES } from "./contenders.ts";
import { GENERATORS, parseHpBenchResult, parseWrkResult, wrkScript } from "./load.ts";
import type { Round, Series, Setup } from "./measure.ts";
import { checkCores, chooseByName, parseCompareOptions } from "./options.ts";
import { parseCoreTime, parseProcessStat, treeCpuTime, treeMemory, treePids } from "./process-tree.ts";
import { writeScenario } from "./report.ts";
import { SCENARIOS } from "./scenarios.ts";
import { pairedRatio, spread, writeNumber, writeSpread, writeTable } from "./statistics.ts";

const SMALL_GET = SCENARIOS[0]!;

test("spread: the middle of an odd count, the mean of two middles of an even one", () => {
  assert.deepEqual(spread([5, 1, 3]), { median: 3, min: 1, max: 5 });
  assert.deepEqual(spread([4, 1, 3, 100]), { median: 3.5, min: 1, max: 100 });
  assert.deepEqual(spread([]), { median: Number.NaN, min: Number.NaN, max: Number.NaN });
});

test("pairedRatio: compares within rounds and leaves out those that one side lacks", () => {
  assert.deepEqual(pairedRatio([10, 40, undefined, 6], [20, 50, 1, undefined]), {
    median: 0.65,
    min: 0.5,
    max: 0.8,
  });
  assert.ok(Number.isNaN(pairedRatio([1], [undefined]).median));
});

test("numbers: three digits, and a range only where there is one", () => {
  assert.deepEqual([0.123, 9.876, 12.34, 123.4, 45_678.9, Number.NaN].map(writeNumber), [
    "0.12",
    "9.88",
    "12.3",
    "123",
    "45679",
    "–",
  ]);
  assert.equal(writeSpread({ median: 2, min: 1, max: 3 }), "2.00 (1.00–3.00)");
  assert.equal(writeSpread({ median: 2, min: 2, max: 2.001 }), "2.00");
});

test("writeTable: columns line up", () => {
  assert.equal(
    writeTable(
      ["", "n"],
      [
        ["a", "1"],
        ["long", "10"],
      ],
    ),
    ["|      |  n |", "|------|---:|", "| a    |  1 |", "| long | 10 |"].join("\n"),
  );
});

test("parseProcessStat: a name with blanks and parentheses does not shift the fields", () => {
  const text = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 11 12 13 14 20 0 1 0 100 0 0\n";
  assert.deepEqual(parseProcessStat(text), {
    parent: 7,
    userTicks: 11,
    systemTicks: 12,
    endedUserTicks: 13,
    endedSystemTicks: 14,
  });
});

test("parseCoreTime: steal is busy, idle and iowait are not, and a missing core is an error", () => {
  const text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 40 5 6 7 8 0 0\ncpu1 0 0 0 1 0 0 0 0 0 0\n";
  assert.deepEqual(parseCoreTime(text, 0), { busyMs: 270, totalMs: 720 });
  assert.throws(() => parseCoreTime(text, 2), /core 2/);
});

test("process tree: this process is in it, with its memory and time", { skip: notLinux() }, () => {
  assert.ok(treePids(process.pid).includes(process.pid));
  assert.ok(treePids(process.ppid).includes(process.pid), "a child is found under its parent");
  const { userMs, systemMs } = treeCpuTime(process.pid);
  assert.ok(userMs + systemMs > 0);
  const { rssKib, pssKib, ownKib } = treeMemory(process.pid);
  assert.ok(ownKib > 0 && pssKib > ownKib && rssKib >= pssKib);
});

test("wrk: its line is read, and a run without one is an error", () => {
  assert.deepEqual(parseWrkResult("Running\nRESULT 1000 2500000 950 900 2000 4000 7000 9000 3\n"), {
    requests: 1000,
    seconds: 2.5,
    meanUs: 950,
    p50Us: 900,
    p90Us: 2000,
    p99Us: 4000,
    p999Us: 7000,
    maxUs: 9000,
    errors: 3,
  });
  assert.throws(() => parseWrkResult("unable to connect"), /unable to connect/);
});

test("wrk: pipelined requests, fields and bodies are in the script", () => {
  assert.doesNotMatch(
    wrkScript(SMALL_GET),
    /request =/,
    "a script for every request would cost the generator",
  );
  const script = wrkScript({ ...SMALL_GET, pipeline: 16, bodyBytes: 9, fields: { "X-A": 'b"c' } });
  assert.match(script, /string\.rep\(wrk\.format\(\), 16\)/);
  assert.match(script, /wrk\.headers\["X-A"\] = "b\\"c"/);
  assert.match(script, /wrk\.body = string\.rep\("x", 9\)/);
});

test("hp-bench: answers that are no success count as errors", () => {
  const json = JSON.stringify({
    responses: 10,
    successful: 8,
    elapsedMs: 500,
    errorCount: 1,
    cpuMs: { user: 5, system: 6 },
    unsent: 2,
    latencyUs: { mean: 3.5, p50: 3, p90: 4, p99: 5, p99_9: 6, max: 7 },
  });
  assert.deepEqual(parseHpBenchResult(json), {
    requests: 10,
    seconds: 0.5,
    meanUs: 3.5,
    p50Us: 3,
    p90Us: 4,
    p99Us: 5,
    p999Us: 6,
    maxUs: 7,
    errors: 5,
    unsent: 2,
    cpuMs: 11,
  });
});

test("options: what is wrong is named, with what would be right", () => {
  assert.throws(() => parseCompareOptions(["--scenario", "nothing"]), /"nothing".*get-64/);
  assert.throws(() => parseCompareOptions(["--rounds", "0"]), /--rounds: "0"/);
  assert.throws(() => parseCompareOptions(["--seconds", "1.5"]), /--seconds: "1.5"/);
  assert.throws(() => chooseByName(PROXIES, ["ngnix"]), /"ngnix": unknown.*nginx/);
  const { scenarios, rounds, seconds } = parseCompareOptions(["--quick", "--scenario", "get-1,connect"]);
  assert.deepEqual([scenarios.map(({ name }) => name), rounds, seconds], [["get-1", "connect"], 1, 1]);
});

test("cores: one that is not there is refused, by the name of its option", { skip: notLinux() }, () => {
  checkCores({ core: 0, otherCore: 0 });
  assert.throws(
    () => checkCores({ core: 4095, otherCore: 0 }),
    /^WrongArguments: --core: core 4095: this machine has/,
  );
  assert.throws(() => checkCores({ core: 0, otherCore: 4095 }), /^WrongArguments: --other-core: core 4095/);
});

test("tables: names are unique", () => {
  for (const table of [SCENARIOS, PROXIES, GENERATORS])
    assert.equal(new Set(table.map(({ name }) => name)).size, table.length);
});

test("report: a round that does not count is named and stays out of the figures", () => {
  const text = writeScenario({
    scenario: SMALL_GET,
    generator: "load",
    backend: "backend",
    series: [
      seriesOf("hp-uring", [roundOf(0, 10), { ...roundOf(1, 1000), invalid: "3 errors" }, roundOf(2, 12)]),
      seriesOf("nginx", [roundOf(0, 20), roundOf(1, 20), roundOf(2, 20)]),
    ],
    missing: [{ name: "go", reason: "Go is not installed" }],
  });
  assert.match(text, /\| hp-uring .*\| 11\.0 \(10\.0–12\.0\) \|/);
  assert.match(text, /\| hp-uring .*\| 0\.55 \(0\.50–0\.60\) \|/);
  assert.match(text, /hp-uring, round 2 does not count: 3 errors/);
  assert.match(text, /go is left out: Go is not installed/);
});

const missingTools = nginxVersion() === undefined || typeof GENERATORS[0]!.find() === "string";
const skipRun = notLinux() || (missingTools ? "nginx and wrk are not both installed" : false);
test("a short run measures nginx, and leaves nothing behind", { skip: skipRun, timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "hp-proxy-bench-test-"));
  try {
    const json = path.join(directory, "result.json");
    const script = path.join(import.meta.dirname, "compare.ts");
    const args = [script, "--quick", "--scenario", "get-64,web-socket", "--only", "nginx", "--json", json];
    const cores = os.availableParallelism() > 1 ? [] : ["--other-core", "0"];
    const { status, stdout, stderr } = spawnSync(process.execPath, [...args, ...cores], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: directory },
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /\| nginx /);
    const { results, setups } = JSON.parse(readFileSync(json, "utf8")) as {
      results: { series: Series[] }[];
      setups: Record<string, Setup>;
    };
    const backend = Object.entries(setups).find(([key]) => key.startsWith("nginx: return 200"))![1];
    assert.match(Object.values(backend.files).join(), /location = \/upload/, "the backend's configuration");
    const load = setups["wrk -t1, in get-64"]!;
    assert.ok(load.argv.includes("-c64") && load.files["get-64.lua"]!.includes("wrk.method"));
    assert.equal(results.length, 2);
    for (const { series } of results) {
      const round = series[0]!.rounds[0]!;
      assert.equal(round.invalid, "");
      assert.ok(round.requests > 0 && round.cpuUs > 0 && round.samples > 0);
    }
    assert.deepEqual(readdirSync(directory), ["result.json"], "its own directory is gone");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

function notLinux(): string | false {
  return process.platform === "linux" ? false : "/proc is Linux's";
}

function seriesOf(name: string, rounds: readonly Round[]): Series {
  return { name, title: name, version: "1", rounds };
}

function roundOf(round: number, cpuUs: number): Round {
  return {
    round,
    requests: 1,
    seconds: 1,
    perSecond: 1,
    userUs: 1,
    systemUs: 1,
    cpuUs,
    generatorUs: 1,
    generatorRunUs: undefined,
    meanUs: 1,
    p50Us: 1,
    p90Us: 1,
    p99Us: 1,
    p999Us: 1,
    maxUs: 1,
    memory: { rssKib: 1, pssKib: 1, ownKib: 1 },
    busyShare: 0.5,
    foreignShare: 0,
    otherCoreShare: 0.5,
    errors: 0,
    samples: 1,
    invalid: "",
  };
}
