import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../base/ip-address.ts";
import { AddressTable } from "./admission.ts";

const ip = (text: string): Uint8Array => parseIp(text)!;

const PAIRS: readonly { one: string; other: string; same: boolean }[] = [
  { one: "192.0.2.1", other: "192.0.2.1", same: true },
  { one: "192.0.2.1", other: "192.0.2.2", same: false },
  { one: "192.0.2.1", other: "::ffff:192.0.2.1", same: true },
  { one: "2001:db8::1", other: "2001:db8::2", same: true },
  { one: "2001:db8:0:1::1", other: "2001:db8:0:1:ffff:ffff:ffff:ffff", same: true },
  { one: "2001:db8:0:1::1", other: "2001:db8:0:2::1", same: false },
  { one: "2001:db8::1", other: "2001:db9::1", same: false },
  { one: "::1", other: "0.0.0.1", same: false },
];
for (const { one, other, same } of PAIRS) {
  test(`admission: ${one} and ${other} are ${same ? "one address" : "two addresses"}`, () => {
    const table = new AddressTable(8, 7);
    assert.equal(table.add(0, ip(one), 1), true);
    assert.equal(table.add(1, ip(other), 1), !same);
  });
}

test("admission: an address has room again when one of its connections is gone", () => {
  const table = new AddressTable(8, 7);
  for (const connection of [0, 1]) assert.equal(table.add(connection, ip("192.0.2.1"), 2), true);
  assert.equal(table.add(2, ip("192.0.2.1"), 2), false);
  table.remove(2);
  assert.equal(table.add(2, ip("192.0.2.1"), 2), false);
  table.remove(0);
  assert.equal(table.add(2, ip("192.0.2.1"), 2), true);
});

// Law: the table counts as a map of counts does, whatever comes and goes.
test("admission: a thousand comings and goings, as a map would count them", () => {
  const connections = 64;
  const table = new AddressTable(connections, -3);
  const addressOf = new Map<number, string>();
  const countOf = (address: string): number =>
    [...addressOf.values()].filter((each) => each === address).length;
  let state = 1;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let step = 0; step < 10_000; step++) {
    const connection = below(connections);
    if (addressOf.delete(connection)) {
      table.remove(connection);
      continue;
    }
    const address = below(2) === 0 ? `10.0.0.${below(40)}` : `2001:db8:0:${below(40).toString(16)}::1`;
    const admitted = table.add(connection, ip(address), 3);
    assert.equal(admitted, countOf(address) < 3, `step ${step}`);
    if (admitted) addressOf.set(connection, address);
  }
});
