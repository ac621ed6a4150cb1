import assert from "node:assert/strict";
import { test } from "node:test";
import { StallWatch } from "./stall-watch.ts";

/**
 * Looks at one worker, a second apart; `+`: it has counted a pulse since the last, `-`: it has not, `n`: another
 * process is there, `d`: it promises no pulses, `z`: as `-`, and the look comes an hour late, `l`: three seconds,
 * `w`: as `-`, and it has waited for a processor for 3/4 of that second, `W`: for all of it. Then the looks that
 * tell, from 0, each with the silence in milliseconds.
 */
const CASES: readonly [name: string, looks: string, told: string, limitMs?: number, pulseMs?: number][] = [
  ["whoever counts lives", "+++++++++", ""],
  ["silence is told when the limit is reached, and once", "+---------", "4:4000"],
  ["a limit between two looks is never cut short", "+---------", "5:5000", 4_001],
  ["the last moment counts", "+---+---+---+---+", ""],
  ["after a pulse the silence begins anew", "+---+----", "8:4000"],
  ["a successor begins anew", "+---n---", ""],
  ["a successor is told as well", "+----n----", "4:4000 9:4000"],
  ["the first look says nothing", "----", ""],
  ["whoever is debugged stands still", "+dddddddd", ""],
  ["a debugger that has gone leaves the whole limit", "+---d----", "8:4000"],
  ["whatever stopped us says nothing of others", "+---z---", ""],
  ["after it the silence begins anew", "+---z----", "8:4000"],
  ["whoever has no processor is not silent", "+-WWWWWWWWWWWW", ""],
  ["what it had of a processor counts", "+-wwwwwwwwwwwwww", "13:4000"],
  ["having waited long ago counts for nothing", "+-WW+-W----", "9:4000"],
  ["a look that is late counts for nothing", "+--llll--", "8:4000"],
  ["pulses far apart make a longer limit", "+------------", "12:12000", 4_000, 3_000],
];

for (const [name, looks, told, limitMs = 4_000, usualPulseMs = 1_000] of CASES) {
  test(`stalls: ${name}`, (t) => {
    const worker = { index: 3, pid: 1, pulses: 7, pulseMs: usualPulseMs };
    const seen: string[] = [];
    let at = 0;
    let waitedMs = 500;
    const watch = new StallWatch(
      () => [worker],
      (index, silentMs) => {
        assert.equal(index, 3);
        seen.push(`${at}:${silentMs}`);
      },
      () => waitedMs,
    );
    t.after(() => watch.stop());
    watch.limitMs = limitMs;
    let nowMs = 0;
    for (const look of looks) {
      nowMs += look === "z" ? 3_600_000 : look === "l" ? 3_000 : 1_000;
      if (look === "+") worker.pulses++;
      waitedMs += look === "w" ? 750 : look === "W" ? 1_000 : 0;
      if (look === "n") worker.pid++;
      worker.pulseMs = look === "d" ? 0 : usualPulseMs;
      watch.look(nowMs);
      at++;
    }
    assert.equal(seen.join(" "), told);
  });
}

test("stalls: who has gone is forgotten, and each worker counts for itself", (t) => {
  const still = { pid: 1, pulses: 0, pulseMs: 1_000 };
  const seen: number[] = [];
  let sightings = [
    { index: 0, ...still },
    { index: 1, ...still },
  ];
  const watch = new StallWatch(
    () => sightings,
    (index) => seen.push(index),
  );
  t.after(() => watch.stop());
  watch.limitMs = 4_000;
  for (let look = 0; look < 4; look++) watch.look(look * 1_000);
  sightings = sightings.slice(1);
  watch.look(4_000);
  assert.deepEqual(seen, [1]);
  sightings = [{ index: 0, ...still }];
  for (let look = 5; look < 9; look++) watch.look(look * 1_000);
  assert.deepEqual(seen, [1]);
});
