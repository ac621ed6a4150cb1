/** Each command for developers says what it does, and refuses what it does not know before it does anything. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { WrongArguments, wholeNumber } from "./command.ts";

const ROOT = path.dirname(import.meta.dirname);

/** Each script with the options of its help, and arguments that it refuses with a reason. */
const COMMANDS: readonly {
  readonly file: string;
  readonly options: readonly string[];
  readonly wrong: readonly string[];
  readonly reason: RegExp;
}[] = [
  {
    file: "bench/compare.ts",
    options: ["--quick", "--scenario", "--only", "--rounds", "--seconds", "--load", "--backend", "--json"],
    wrong: ["--rounds", "0"],
    reason: /--rounds: "0" is not a whole number from 1/,
  },
  {
    file: "bench/full/run.ts",
    options: ["--quick", "--out", "--scenario", "--rounds", "--seconds", "--warmup", "--core", "--render"],
    wrong: ["--scenario", "none"],
    reason: /--scenario: "none": unknown; write one or more of /,
  },
  {
    file: "bench/gate.ts",
    options: ["--scenario", "--engine", "--micro", "--only", "--rounds", "--tolerance", "--core", "--json"],
    wrong: ["main"],
    reason: /name two commits/,
  },
  {
    file: "bench/idle.ts",
    options: ["--only", "--connections", "--rounds", "--seconds", "--core", "--other-core", "--json"],
    wrong: ["--connections", "many"],
    reason: /--connections: "many" is not a whole number from 2/,
  },
  {
    file: "bench/install.ts",
    options: ["--npm"],
    wrong: ["caddy"],
    reason: /Unexpected argument .caddy./,
  },
  {
    file: "bench/micro/run.ts",
    options: ["--only", "--rounds", "--ms", "--instructions", "--json"],
    wrong: ["--ms", "0.5", "--only", "framing"],
    reason: /--ms: "0.5" is not a whole number from 1/,
  },
  {
    file: "bench/profile.ts",
    options: ["--scenario", "--engine", "--tcp", "--seconds", "--out"],
    wrong: ["--engine", "fast"],
    reason: /--engine: "fast" is none; write uring, epoll or net/,
  },
  {
    file: "bench/instructions.ts",
    options: ["--scenario", "--engine", "--seconds", "--warm-up", "--rows", "--checkout"],
    wrong: ["--engine", "net"],
    reason: /--engine: "net" cannot be counted; write uring or epoll/,
  },
  {
    file: "bench/hostile.ts",
    options: ["--engine", "--attack", "--connections", "--garbage", "--seconds", "--rate", "--json"],
    wrong: ["--attack", "none,fast"],
    reason: /--attack: there is no fast/,
  },
  {
    file: "bench/soak.ts",
    options: ["--minutes", "--engine", "--workers", "--seed", "--json"],
    wrong: ["--minutes", "long"],
    reason: /--minutes: "long" is not a number above 0/,
  },
  {
    file: "test/sim/seeds.ts",
    options: ["--seeds", "--first", "--jobs", "--until-broken"],
    wrong: ["first"],
    reason: /SEED: "first" is not a whole number from 0/,
  },
  {
    file: "tools/fuzz.ts",
    options: ["--minutes"],
    wrong: ["no-such-file"],
    reason: /no \*\.fuzz\.ts has no-such-file in its path/,
  },
];

async function run(file: string, argv: readonly string[]) {
  const child = spawn(process.execPath, [path.join(ROOT, file), ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { status: status as number | null, stdout, stderr };
}

for (const { file, options, wrong, reason } of COMMANDS) {
  test(`${file}: --help, and what it refuses`, async () => {
    const [help, unknown, refused] = await Promise.all([
      run(file, ["--help"]),
      run(file, ["--nope"]),
      run(file, wrong),
    ]);
    assert.deepEqual([help.status, help.stderr], [0, ""]);
    for (const option of options)
      assert.match(help.stdout, new RegExp(`^ +(?:.*, )?${option}\\b`, "m"), option);
    assert.deepEqual([unknown.status, unknown.stdout], [2, ""], unknown.stderr);
    assert.match(unknown.stderr, /^\w+: Unknown option '--nope'.*; --help lists what there is\n$/);
    assert.deepEqual([refused.status, refused.stdout], [2, ""], refused.stderr);
    assert.match(refused.stderr, reason);
  });
}

test("a whole number, from a smallest one", () => {
  assert.equal(wholeNumber("--a", "7", 7), 7);
  for (const wrong of ["6", "", "-7", "7.0", "1e3", "0x7", "9".repeat(20)])
    assert.throws(() => wholeNumber("--a", wrong, 7), WrongArguments, wrong);
});
