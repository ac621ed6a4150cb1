import assert from "node:assert/strict";
import { test } from "node:test";
import { editDistance, nearest } from "./suggestion.ts";

const DISTANCES: readonly [string, string, number][] = [
  ["", "", 0],
  ["", "port", 4],
  ["port", "port", 0],
  ["prot", "port", 1],
  ["pot", "port", 1],
  ["portt", "port", 1],
  ["part", "port", 1],
  ["backend", "backends", 1],
  ["kitten", "sitting", 3],
];

for (const [from, to, distance] of DISTANCES) {
  test(`distance of "${from}" and "${to}" is ${distance}, both ways`, () => {
    assert.equal(editDistance(from, to), distance);
    assert.equal(editDistance(to, from), distance);
  });
}

const WORDS = ["port", "listen", "backends", "workers", "drain-timeout", "log-level", "log-format"];
const MEANT: readonly [string, string][] = [
  ["prot", "port"],
  ["backend", "backends"],
  ["worker", "workers"],
  ["drain", "drain-timeout"],
  ["loglevel", "log-level"],
  ["frobnicate", ""],
  ["x", ""],
];

for (const [typed, meant] of MEANT) {
  test(`"${typed}" means ${meant === "" ? "nothing" : `"${meant}"`}`, () => {
    assert.equal(nearest(typed, WORDS), meant);
  });
}
