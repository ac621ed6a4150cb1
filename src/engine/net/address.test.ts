import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectTargets, formatBoundAddress, parseConnectAddress } from "./address.ts";

const READABLE = [
  { address: "192.0.2.1:80", host: "192.0.2.1", port: 80, path: "" },
  { address: "[2001:db8::1]:65535", host: "2001:db8::1", port: 65_535, path: "" },
  { address: "[::ffff:192.0.2.1]:1", host: "::ffff:192.0.2.1", port: 1, path: "" },
  { address: "unix:/run/a:1.sock", host: "", port: 0, path: "/run/a:1.sock" },
];

for (const { address, ...target } of READABLE) {
  test(`address: ${address}`, () => assert.deepEqual(parseConnectAddress(address), target));
}

test("address: an address that was read is remembered", () => {
  const targets = new ConnectTargets();
  assert.equal(targets.of("192.0.2.1:80"), targets.of("192.0.2.1:80"));
  assert.equal(targets.of("example.com:80"), null);
});

test("address: a bound address is written as connect reads it", () => {
  assert.equal(formatBoundAddress({ address: "::1", port: 80 }), "[::1]:80");
  assert.equal(formatBoundAddress({ address: "127.0.0.1", port: 80 }), "127.0.0.1:80");
  assert.equal(formatBoundAddress("/run/a.sock"), "unix:/run/a.sock");
});
