/** Which requests are counted together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "../../test/route/asking.ts";
import { HalfSipHash } from "../base/half-sip-hash.ts";
import { parseIp } from "../base/ip-address.ts";
import type { RateKey, RateLimit } from "../contract/routing.ts";
import { ReadyRateLimit } from "./rate-limit.ts";
import { RequestView } from "./request-view.ts";
import { TemplateSource } from "./template.ts";

const LIMIT: RateLimit = {
  name: "a",
  count: 10,
  periodMs: 60_000,
  burst: 20,
  key: { kind: "client" },
  status: 429,
};

/** A request: its client, then its field lines. */
type Asked = readonly [client: string, ...fields: string[]];

function hashOf(limit: RateLimit, [client, ...fields]: Asked): string {
  const { memory, head } = request("GET /p", ...fields);
  const source = new TemplateSource();
  source.view = new RequestView();
  source.view.read(memory, head);
  source.head = head;
  const hash = new HalfSipHash(1, 2);
  new ReadyRateLimit(limit).hashKey(hash, memory, head, source, parseIp(client) ?? null);
  return `${hash.low} ${hash.high}`;
}

interface Case {
  readonly name: string;
  readonly key: RateKey;
  readonly one: Asked;
  readonly other: Asked;
  readonly together: boolean;
}

const client: RateKey = { kind: "client" };
const field: RateKey = { kind: "field", name: "x-key" };
const cookie: RateKey = { kind: "cookie", name: "id" };
const template: RateKey = { kind: "template", text: "$host$method" };

const CASES: readonly Case[] = [
  { name: "a client", key: client, one: ["1.2.3.4"], other: ["1.2.3.4", "A: b"], together: true },
  { name: "two clients", key: client, one: ["1.2.3.4"], other: ["1.2.3.5"], together: false },
  {
    name: "a network of 64 bits",
    key: client,
    one: ["2001:db8::1"],
    other: ["2001:db8::f:2"],
    together: true,
  },
  { name: "two networks", key: client, one: ["2001:db8::1"], other: ["2001:db8:0:1::1"], together: false },
  { name: "mapped IPv4", key: client, one: ["::ffff:1.2.3.4"], other: ["1.2.3.4"], together: true },
  { name: "clients without addresses", key: client, one: ["unix:"], other: ["unix:"], together: true },
  { name: "everybody", key: { kind: "all" }, one: ["1.2.3.4"], other: ["5.6.7.8", "A: b"], together: true },
  {
    name: "a key of two clients",
    key: field,
    one: ["1.1.1.1", "X-Key: a"],
    other: ["2.2.2.2", "x-KEY: a"],
    together: true,
  },
  {
    name: "two keys of a client",
    key: field,
    one: ["1.1.1.1", "X-Key: a"],
    other: ["1.1.1.1", "X-Key: b"],
    together: false,
  },
  { name: "no key: by client", key: field, one: ["1.1.1.1"], other: ["1.1.1.1", "X-Key:"], together: true },
  { name: "no key, two clients", key: field, one: ["1.1.1.1"], other: ["2.2.2.2"], together: false },
  {
    name: "lines in one",
    key: field,
    one: ["1.1.1.1", "X-Key: ab"],
    other: ["1.1.1.1", "X-Key: a", "X-Key: b"],
    together: false,
  },
  {
    name: "a cookie among others",
    key: cookie,
    one: ["1.1.1.1", "Cookie: x=1; id=7 ; y=2"],
    other: ["2.2.2.2", "Cookie: id=7"],
    together: true,
  },
  {
    name: "two cookies",
    key: cookie,
    one: ["1.1.1.1", "Cookie: id=7"],
    other: ["1.1.1.1", "Cookie: id=8"],
    together: false,
  },
  {
    name: "an empty cookie: by client",
    key: cookie,
    one: ["1.1.1.1"],
    other: ["1.1.1.1", "Cookie: id=; idx=3"],
    together: true,
  },
  {
    name: "a name that ends so",
    key: cookie,
    one: ["1.1.1.1"],
    other: ["1.1.1.1", "Cookie: xid=7"],
    together: true,
  },
  {
    name: "one more cookie of the name",
    key: cookie,
    one: ["1.1.1.1", "Cookie: id=7"],
    other: ["1.1.1.1", "Cookie: id=7; id=8"],
    together: false,
  },
  {
    name: "variables",
    key: template,
    one: ["1.1.1.1", "Host: a"],
    other: ["2.2.2.2", "Host: a:80"],
    together: true,
  },
  {
    name: "other variables",
    key: template,
    one: ["1.1.1.1", "Host: a"],
    other: ["1.1.1.1", "Host: aG"],
    together: false,
  },
];

for (const { name, key, one, other, together } of CASES) {
  test(`rate limit key: ${name}`, () => {
    const limit = { ...LIMIT, key };
    assert.equal(hashOf(limit, one) === hashOf(limit, other), together);
  });
}

test("rate limit key: limits have buckets of their own", () => {
  const asked: Asked = ["1.2.3.4"];
  const hashes = [LIMIT, { ...LIMIT, name: "b" }, { ...LIMIT, burst: 21 }, { ...LIMIT, count: 11 }].map(
    (limit) => hashOf(limit, asked),
  );
  assert.equal(new Set(hashes).size, hashes.length);
});

test("rate limit: how fast tokens come", () => {
  const { tokenMs, fullMs } = new ReadyRateLimit(LIMIT);
  assert.deepEqual([tokenMs, fullMs], [6_000, 120_000]);
});
