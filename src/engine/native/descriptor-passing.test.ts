import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openPassage, passDescriptor, takeDescriptor } from "./descriptor-passing.ts";
import { loadSyscalls } from "./syscalls.ts";

function missing(): string | false {
  try {
    loadSyscalls();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

test("descriptors come in order, each with its number, as copies", { skip: missing() }, () => {
  const [ours, theirs] = openPassage();
  assert.equal(takeDescriptor(theirs), undefined);
  const file = openSync(import.meta.filename, "r");
  assert.equal(passDescriptor(ours, file, 7), 0);
  assert.equal(passDescriptor(ours, file, 255), 0);
  const first = takeDescriptor(theirs)!;
  const second = takeDescriptor(theirs)!;
  assert.equal(takeDescriptor(theirs), undefined);
  assert.deepEqual([first.number, second.number], [7, 255]);
  assert.equal(new Set([file, first.fd, second.fd]).size, 3);
  closeSync(file);
  assert.match(readFileSync(second.fd, "utf8"), /descriptors come in order/);
  for (const fd of [first.fd, second.fd, ours, theirs]) closeSync(fd);
});

test("where the other end is closed, passing fails and taking ends", { skip: missing() }, () => {
  const [ours, theirs] = openPassage();
  closeSync(theirs);
  assert.equal(passDescriptor(ours, 0, 1), -32);
  assert.equal(takeDescriptor(ours), undefined);
  closeSync(ours);
});
