/** Pictures, tables and the model, from figures that are known. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ROOT } from "../contenders/contender.ts";
import { describeMachine, withoutPlaces } from "../machine.ts";
import type { Round } from "../measure.ts";
import { weighArtefacts, weighPrograms } from "./artefacts.ts";
import { result, round, series } from "./figures.ts";
import { drawBars, drawLatencies } from "./plots.ts";
import { type Run, writeRun } from "./report.ts";
import { parseSettings } from "./run.ts";
import { modelCores, writeModel } from "./study.ts";

const RESULTS = [
  result("get-64", series("hp-uring", round(10), round(30), round(20)), series("hp-uring-2", round(22))),
  result("pipeline", series("nginx", round(5, { p50Us: 0, p90Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 }))),
  result("connect", series("relay", round(1, { invalid: "3 errors" }))),
];
const CPU = { title: "CPU", pick: ({ cpuUs }: Round) => cpuUs };

/** Every element is closed, and nothing that a reader could run is in it. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, closes, name, content] of svg.matchAll(/<(\/?)([a-z]+)([^>]*)>/g)) {
    if (closes === "/") assert.equal(open.pop(), name);
    else if (!content!.endsWith("/")) open.push(name!);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined|<script/);
}

test("bars: one for each contender that has a round, titles escaped, the median written", () => {
  const svg = drawBars(CPU, RESULTS, "note");
  assertWellFormed(svg);
  assert.match(svg, /&lt;hp-uring&gt;/);
  assert.match(svg, />20\.0</);
  assert.doesNotMatch(svg, /relay/, "no round of it counts");
});

test("latencies: none where the generator told none", () => {
  const svg = drawLatencies(RESULTS, "note");
  assertWellFormed(svg);
  assert.match(svg, /p99\.9/);
  assert.doesNotMatch(svg, /&lt;nginx/);
});

test("pictures of nothing say so", () => {
  assertWellFormed(drawBars(CPU, [], "note"));
  assert.match(drawLatencies([], "note"), /nothing was measured/);
});

test("model: two cores are as measured, and each doubling costs the same again", () => {
  const { perCore, perDoubling, at } = modelCores(RESULTS)!;
  assert.equal(perCore, 50_000);
  assert.ok(Math.abs(perDoubling - 1.1) < 1e-9);
  assert.ok(Math.abs(at.get(2)! - 100_000 / 1.1) < 1e-6);
  assert.ok(Math.abs(at.get(8)! - 400_000 / 1.1 ** 3) < 1e-6);
  assert.equal(modelCores(RESULTS.slice(1)), undefined);
});

const SCALING: readonly (readonly [name: string, two: number, page: RegExp])[] = [
  ["above 1 it is taken as it is", 22, /costs × 1\.10, as measured\. Taken for every\ndoubling:\n/],
  [
    "below 1 it is printed, and taken as 1",
    17,
    /costs × 0\.85, as measured\. [\s\S]*doubling: × 1\.00, because/,
  ],
];
for (const [name, two, page] of SCALING)
  test(`model, what a second worker costs: ${name}`, () => {
    const results = [result("get-64", series("hp-uring", round(20)), series("hp-uring-2", round(two)))];
    assert.match(writeModel(results), page);
    const { measured, perDoubling, at } = modelCores(results)!;
    assert.equal(measured, two / 20);
    assert.equal(at.get(8), 400_000 / perDoubling ** 3);
    assert.ok(perDoubling >= 1);
  });

test("artefacts: this checkout has a size, and a program that is gone has none", () => {
  const { sourceLines, dataPlaneLines, runtimeBytes } = weighArtefacts({});
  assert.ok(sourceLines > dataPlaneLines && dataPlaneLines > 1000);
  assert.ok(runtimeBytes > 1e6);
  assert.deepEqual(Object.keys(weighPrograms({ shell: "sh", gone: "/nonexistent/x" })), ["shell"]);
});

const OUTS: readonly (readonly [argv: readonly string[], out: string])[] = [
  [[], "docs/benchmarks"],
  [["--quick"], "bench/results"],
  [["--scenario", "echo", "--rounds", "1"], "bench/results"],
  [["--core", "1", "--other-core", "0"], "bench/results"],
  [["--seconds", "1", "--out", "docs/benchmarks"], "docs/benchmarks"],
  [["--render", "some/where/results.json"], "some/where"],
  [["--render", "some/where/results.json", "--out", "other"], "other"],
];
for (const [argv, out] of OUTS)
  test(`where it goes: bench/run.sh ${argv.join(" ")}`, () => {
    const base = argv.includes("--out") || argv.includes("--render") ? process.cwd() : ROOT;
    assert.equal(parseSettings(argv).out, path.resolve(base, out));
  });

test("what is written names no folder of this machine", () => {
  const text = withoutPlaces(`${process.execPath} ${path.join(ROOT, "bin", "hp-proxy")} ${os.tmpdir()}/x`);
  assert.equal(text, "node CHECKOUT/bin/hp-proxy TEMPORARY/x");
});

test("a run leaves raw data, tables and pictures, and can be drawn anew from its raw data", () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "hp-proxy-bench-test-"));
  try {
    const run: Run = {
      ...{
        argv: ["--quick", "--rounds", "2"],
        preset: "--quick",
        machine: describeMachine(),
        tookSeconds: 60,
      },
      ...{ results: RESULTS, idle: { rounds: [], missing: [] }, artefacts: weighArtefacts({}), setups: {} },
    };
    writeRun(directory, run);
    const files = ["README.md", "cpu.svg", "latency.svg", "memory.svg", "results.json", "throughput.svg"];
    assert.deepEqual(readdirSync(directory).sort(), files);
    const texts = files.map((file) => readFileSync(path.join(directory, file), "utf8"));
    assert.match(texts[0]!, /\n`bench\/run\.sh --quick --rounds 2`, 1 minutes/);
    assert.match(texts[0]!, /## Targets[\s\S]*not measured/);
    assert.match(texts[0]!, /connect: a new client connection[\s\S]*does not count: 3 errors/);
    writeRun(directory, JSON.parse(texts[4]!) as Run);
    assert.deepEqual(
      files.map((file) => readFileSync(path.join(directory, file), "utf8")),
      texts,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
