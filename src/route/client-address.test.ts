/** Who the client is behind proxies that are trusted, and what a client can write to be taken for another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "../../test/route/asking.ts";
import { writeBytes } from "../base/bytes.ts";
import { parseIp, parseNetwork } from "../base/ip-address.ts";
import { ClientAddress } from "./client-address.ts";

const PROXY = "10.0.0.1";
const TRUSTED = ["10.0.0.0/8", "2001:db8:aaaa::/48"].map((text) => parseNetwork(text)!);

interface Case {
  readonly name: string;
  readonly fields: readonly string[];
  readonly usesForwarded?: boolean;
  /** The client that is found. */
  readonly client: string;
}

const xff = (...values: string[]) => values.map((value) => `X-Forwarded-For: ${value}`);
const forwarded = (...values: string[]) => values.map((value) => `Forwarded: ${value}`);

const CASES: readonly Case[] = [
  { name: "nothing said: the proxy itself", fields: [], client: PROXY },
  { name: "an empty list: the proxy itself", fields: xff("", " , ,"), client: PROXY },
  { name: "one client", fields: xff("192.0.2.7"), client: "192.0.2.7" },
  { name: "an IPv6 client", fields: xff("2001:DB8::7"), client: "2001:DB8::7" },
  { name: "two trusted proxies", fields: xff("192.0.2.7, 10.0.0.9"), client: "192.0.2.7" },
  { name: "two trusted proxies, IPv6", fields: xff("192.0.2.7,2001:db8:aaaa::9"), client: "192.0.2.7" },
  { name: "only trusted ones: the first of them", fields: xff("10.0.0.3, 10.0.0.2"), client: "10.0.0.3" },
  { name: "a client that claims to be another", fields: xff("127.0.0.1, 192.0.2.7"), client: "192.0.2.7" },
  { name: "a client that claims a trusted address", fields: xff("10.0.0.3, 192.0.2.7"), client: "192.0.2.7" },
  {
    name: "a client that claims a whole chain",
    fields: xff("127.0.0.1, 10.0.0.8, 192.0.2.7, 10.0.0.9"),
    client: "192.0.2.7",
  },
  { name: "lines are one list", fields: xff("127.0.0.1", "192.0.2.7", "10.0.0.9"), client: "192.0.2.7" },
  { name: "commas of a client", fields: xff(",,,127.0.0.1,,, ,192.0.2.7,,"), client: "192.0.2.7" },
  { name: "garbage in front is not looked at", fields: xff('a b "c;,\\, 192.0.2.7'), client: "192.0.2.7" },
  { name: "garbage at the end: the proxy itself", fields: xff("192.0.2.7, garbage"), client: PROXY },
  {
    name: "garbage before a trusted proxy: that proxy",
    fields: xff("192.0.2.7, garbage, 10.0.0.9"),
    client: "10.0.0.9",
  },
  {
    name: "unknown: the proxy that says so",
    fields: xff("192.0.2.7, unknown, 10.0.0.9"),
    client: "10.0.0.9",
  },
  { name: "a blank within: the proxy itself", fields: xff("192.0.2.7 10.0.0.9"), client: PROXY },
  { name: "octal is no address", fields: xff("0192.0.2.7"), client: PROXY },
  { name: "a port", fields: xff("192.0.2.7:4711"), client: "192.0.2.7" },
  { name: "a port in brackets", fields: xff("[2001:db8::7]:4711"), client: "2001:db8::7" },
  { name: "brackets without a port", fields: xff("[2001:db8::7]"), client: "2001:db8::7" },
  { name: "brackets that do not end", fields: xff("[2001:db8::7"), client: PROXY },
  { name: "brackets around IPv4", fields: xff("[192.0.2.7]"), client: PROXY },
  { name: "a port that is none", fields: xff("192.0.2.7:x"), client: PROXY },
  { name: "a port without digits", fields: xff("192.0.2.7:"), client: PROXY },
  { name: "a mapped address is IPv4", fields: xff("192.0.2.7, ::ffff:10.0.0.9"), client: "192.0.2.7" },
  { name: "a zone is no address", fields: xff("fe80::1%eth0"), client: PROXY },
  {
    name: "more proxies than are looked at",
    fields: xff(`192.0.2.7${", 10.1.1.1".repeat(40)}`),
    client: "10.1.1.1",
  },
  { name: "the last of very many", fields: xff(`${"1.1.1.1,".repeat(900)}192.0.2.7`), client: "192.0.2.7" },
  { name: "Forwarded does not count unless asked for", fields: forwarded("for=192.0.2.7"), client: PROXY },
  {
    name: "X-Forwarded-For counts before Forwarded",
    fields: [...forwarded("for=127.0.0.1"), ...xff("192.0.2.7")],
    usesForwarded: true,
    client: "192.0.2.7",
  },
  ...(
    [
      ["one element", "192.0.2.7", "for=192.0.2.7;proto=http;host=a"],
      ["case and order do not count", "192.0.2.7", 'proto=http; host="a" ;For="192.0.2.7" '],
      ["a port in quotes", "192.0.2.7", 'for="192.0.2.7:4711"'],
      ["IPv6 in brackets and quotes", "2001:db8::7", 'for="[2001:db8::7]:4711"'],
      ["IPv6 without quotes", PROXY, "for=[2001:db8::7]"],
      ["IPv6 without brackets", PROXY, 'for="2001:db8::7"'],
      ["IPv4 in brackets", PROXY, 'for="[192.0.2.7]"'],
      ["a chain", "192.0.2.7", "for=127.0.0.1, for=192.0.2.7;by=10.0.0.9, for=10.0.0.9"],
      ["unknown", PROXY, "for=192.0.2.7, for=unknown"],
      ["a name that hides", "10.0.0.9", "for=192.0.2.7, for=_hidden, for=10.0.0.9"],
      ["no for", PROXY, "for=192.0.2.7, proto=http"],
      ["two fors", PROXY, "for=192.0.2.7;for=192.0.2.8"],
      ["a quote of the client swallows nothing", "192.0.2.7", 'for=", for=192.0.2.7'],
      ["nor does an escape", "192.0.2.7", 'for="a\\", for=192.0.2.7'],
      ["a quote that does not end", PROXY, 'for="192.0.2.7'],
      ["empty quotes", PROXY, 'for=""'],
      ["an empty value", PROXY, "for="],
    ] as const
  ).map(([name, client, value]) => ({
    name: `Forwarded: ${name}`,
    fields: forwarded(value),
    usesForwarded: true,
    client,
  })),
];

/** The client that `follow` finds behind `PROXY`. */
function clientOf({ fields, usesForwarded = false }: Case): { text: string; bytes: Uint8Array | null } {
  const { memory, head } = request("GET /", ...fields);
  const peer = Buffer.from(PROXY, "latin1");
  const peerEnd = writeBytes(memory, 0, peer);
  const client = new ClientAddress();
  client.usePeer(0, peerEnd, parseIp(PROXY)!);
  client.follow(memory, head, TRUSTED, usesForwarded);
  const text = Buffer.from(memory.subarray(client.start, client.end)).toString("latin1");
  return { text, bytes: client.bytes };
}

for (const each of CASES) {
  test(`client address: ${each.name}`, () => {
    const { text, bytes } = clientOf(each);
    assert.equal(text, each.client);
    assert.deepEqual(bytes, parseIp(each.client));
  });
}
