/** Addresses and networks: what is one, and what lies in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isInNetwork, parseIp, parseNetwork } from "./ip-address.ts";

const INSIDE: readonly [network: string, address: string, inside: boolean][] = [
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true],
  ["192.168.4.0/22", "192.168.7.255", true],
  ["192.168.4.0/22", "192.168.8.0", false],
  ["0.0.0.0/0", "203.0.113.9", true],
  ["0.0.0.0/0", "2001:db8::1", false],
  ["::/0", "203.0.113.9", true],
  ["2001:db8::/33", "2001:db8:7fff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["::1", "::1", true],
  ["::1", "::2", false],
  ["127.0.0.1", "127.0.0.1", true],
];

for (const [network, address, inside] of INSIDE) {
  test(`networks: ${address} is ${inside ? "in" : "not in"} ${network}`, () => {
    assert.equal(isInNetwork(parseIp(address)!, parseNetwork(network)!), inside);
  });
}

const BAD = ["", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/", "/8", "10.0.0.0/-1", "a", "1.2.3.4/8/8"];

for (const text of BAD) {
  test(`networks: "${text}" is none`, () => assert.equal(parseNetwork(text), undefined));
}
