/** The verdicts on a soak: each can be good and bad. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, type Sample, trend } from "./verdict.ts";

const MIB = 1 << 20;
const SAMPLE: Sample = {
  minute: 0,
  ownBytes: 100 * MIB,
  descriptors: 50,
  exchanges: 0,
  clientsOpen: 0,
  originsOpen: 0,
  requests: 0,
  cpuMs: 0,
  ownCpuMs: 0,
  restarts: 0,
  explained: 0,
  unexplained: 0,
  wrong: 0,
};
const NO_LOSSES = { explained: 0, unexplained: 0, wrong: 0 };

/** An hour of samples whose memory grows by `mibAMinute`, with noise that must not matter. */
function hour(mibAMinute: number, settlingMib = 0): Sample[] {
  return Array.from({ length: 60 }, (_, minute) => {
    const noise = minute % 7 === 0 ? 9 : (minute % 3) - 1;
    const settling = Math.min(1, minute / 10) * settlingMib;
    return { ...SAMPLE, minute, ownBytes: (100 + mibAMinute * minute + noise + settling) * MIB };
  });
}

const CASES: readonly { name: string; of: Partial<Parameters<typeof judge>[0]>; bad: readonly number[] }[] = [
  { name: "all is well", of: {}, bad: [] },
  {
    name: "losses while a backend was away are none",
    of: { losses: { ...NO_LOSSES, explained: 9 } },
    bad: [],
  },
  { name: "V8 finds its size in the first quarter", of: { samples: hour(0, 60) }, bad: [] },
  { name: "memory that shrinks", of: { samples: hour(-0.5) }, bad: [] },
  { name: "memory that grows", of: { samples: hour(0.2) }, bad: [0] },
  { name: "too few samples", of: { samples: hour(0).slice(0, 2) }, bad: [0] },
  { name: "one descriptor more", of: { after: { ...SAMPLE, descriptors: 51 } }, bad: [1] },
  { name: "a client that stays", of: { after: { ...SAMPLE, clientsOpen: 1 } }, bad: [2] },
  { name: "a backend connection that stays", of: { after: { ...SAMPLE, originsOpen: 1 } }, bad: [2] },
  { name: "a wrong byte", of: { losses: { ...NO_LOSSES, wrong: 1 } }, bad: [3] },
  { name: "a loss without a reason", of: { losses: { ...NO_LOSSES, unexplained: 1 } }, bad: [4] },
  { name: "a worker that died", of: { workerRestarts: 1 }, bad: [5] },
];

for (const { name, of, bad } of CASES) {
  test(`soak: ${name}`, () => {
    const well = { samples: hour(0), before: SAMPLE, after: SAMPLE, losses: NO_LOSSES, workerRestarts: 0 };
    const verdicts = judge({ ...well, ...of });
    assert.deepEqual(
      verdicts.flatMap(({ isGood }, i) => (isGood ? [] : [i])),
      bad,
    );
  });
}

test("soak: the trend of nothing is none", () => {
  assert.equal(trend([]), 0);
  assert.equal(trend([[1, 5]]), 0);
});
