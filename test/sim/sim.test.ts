/**
 * Seeds of the simulation, in two processes. A seed that fails is told with the command that replays it:
 *
 *     npm run simulate -- 123
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { failureText, runSeedsInProcesses, type Tally } from "./seeds.ts";
import { simulate } from "./simulate.ts";

const SEEDS = 10_000;
const JOBS = 2;
/** The digests of these are compared between two runs, in another order and beside each other's traces. */
const REPLAYED_SEEDS = 200;

let tally: Tally;

before(async () => {
  tally = await runSeedsInProcesses(1, SEEDS, JOBS);
});

test(`sim: the laws hold in ${SEEDS} worlds`, () => {
  assert.equal(tally.seeds, SEEDS);
  assert.equal(tally.failures.length, 0, `\n${failureText(tally)}`);
});

test("sim: the same seed gives the same run, bit for bit", () => {
  const seeds = Array.from({ length: REPLAYED_SEEDS }, (_, i) => i + 1);
  const digests = seeds.map((seed) => simulate(seed).digest);
  const lines: string[] = [];
  const again = seeds.toReversed().map((seed) => simulate(seed, (line) => lines.push(line)).digest);
  assert.deepEqual(again.toReversed(), digests);
  assert.equal(new Set(digests).size, digests.length, "and each seed another");
  assert.ok(lines.length > REPLAYED_SEEDS * 10, "told line by line");
});

test("sim: the worlds meet all that can happen", () => {
  for (const mood of ["calm", "mischief", "wild"]) assert.ok(tally.moods[mood]! > SEEDS / 10, mood);
  assert.ok(tally.served > 3 * SEEDS, "answers");
  assert.ok(tally.refused > SEEDS / 2, "refusals");
  assert.ok(tally.cut > SEEDS / 2, "cuts");
  for (const word of [...FAILURES, ...STATUSES]) assert.ok((tally.met[word] ?? 0) >= 3, `met: ${word}`);
});

/** What a proxy can meet, as its notices call it. */
const FAILURES = [
  "bad_response",
  "response_timeout",
  "client_gone",
  "origin_reset",
  "no_connection",
  "response_cut",
  "no_endpoint",
  "overload",
  "response_stalled",
  "connect_timeout",
  "connect_refused",
  "request_body_timeout",
  "request_timeout",
  "client_stalled",
  "bad_request_line",
  "bad_chunk_size",
  "bad_chunk_end",
  "chunk_size_overflow",
  "target_too_long",
  "head_too_large",
  "too_many_fields",
  "client_denied",
  "hook_threw",
  "hook_late",
  "hook_stalled",
];
const STATUSES = [
  "200",
  "307",
  "400",
  "403",
  "405",
  "408",
  "414",
  "431",
  "502",
  "503",
  "504",
  "505",
  "299 of a backend",
  "101 of a backend",
];
