import assert from "node:assert/strict";
import { test } from "node:test";
import { RECEIVE_BYTES } from "../../base/buffer-pool.ts";
import { Volume } from "./volume.ts";

const FULL = RECEIVE_BYTES;

/** Each case: what one connection brings, as [bytes, batch]; whether it then counts as a stream. */
const CASES: readonly {
  name: string;
  receives: readonly (readonly [number, number])[];
  isStream: boolean;
}[] = [
  { name: "a new connection is a stream", receives: [], isStream: true },
  {
    name: "three messages are not enough",
    receives: [
      [100, 1],
      [100, 2],
      [100, 3],
    ],
    isStream: true,
  },
  { name: "four messages are", receives: messages(1), isStream: false },
  {
    name: "a large piece among them starts the count anew",
    receives: [[100, 1], [100, 2], [100, 3], [20_000, 4], ...messages(5).slice(1)],
    isStream: true,
  },
  { name: "one full buffer is still a message", receives: [...messages(1), [FULL, 9]], isStream: false },
  { name: "two in one batch are a stream", receives: [...messages(1), [FULL, 9], [FULL, 9]], isStream: true },
  { name: "in two batches they are not", receives: [...messages(1), [FULL, 9], [FULL, 10]], isStream: false },
];

function messages(firstBatch: number): [number, number][] {
  return [0, 1, 2, 3].map((i) => [100, firstBatch + i]);
}

for (const { name, receives, isStream } of CASES) {
  test(`volume: ${name}`, () => {
    const volume = new Volume(4);
    volume.begin(2);
    for (const [bytes, batch] of receives) {
      const before = volume.isStream(2);
      const becameStream = volume.note(2, bytes, batch);
      assert.equal(becameStream, !before && volume.isStream(2));
    }
    assert.equal(volume.isStream(2), isStream);
  });
}
