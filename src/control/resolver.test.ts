import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { NameAnswer } from "./name-lookup.ts";
import { NameWatch } from "./resolver.ts";

/** A name server and a network, both by table, and a record of what the watch told. */
class FakeWorld {
  answer: NameAnswer | string = { ipv4: [], ipv6: [], ttlMs: 1_000 };
  accepting = new Set<string>();
  probed: string[] = [];
  readonly told: string[] = [];
  readonly watch = new NameWatch(
    "api",
    80,
    async () => {
      if (typeof this.answer === "string") throw Object.assign(new Error("no"), { code: this.answer });
      return this.answer;
    },
    async (address) => {
      this.probed.push(address);
      return this.accepting.has(address);
    },
    {
      changed: () => this.told.push(`changed ${this.watch.addresses.join(" ")}`),
      lookedUp: (code) => this.told.push(`looked up ${code}`),
    },
  );
}

/** Lets promises settle while the clock is mocked. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

async function world(
  t: TestContext,
  answer: NameAnswer | string,
  accepting: readonly string[] = [],
): Promise<FakeWorld> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fake = new FakeWorld();
  t.after(() => fake.watch.stop());
  fake.answer = answer;
  fake.accepting = new Set(accepting);
  await fake.watch.start();
  return fake;
}

test("several addresses are all used", async (t) => {
  const { watch, probed } = await world(t, { ipv4: ["192.0.2.1", "192.0.2.2"], ipv6: [], ttlMs: 1_000 });
  assert.deepEqual(watch.addresses, ["192.0.2.1:80", "192.0.2.2:80"]);
  assert.deepEqual(probed, [], "one family needs no choice");
});

const BOTH: NameAnswer = { ipv4: ["127.0.0.1"], ipv6: ["::1"], ttlMs: 1_000 };

test("of two families IPv4 is used when it accepts", async (t) => {
  const { watch } = await world(t, BOTH, ["127.0.0.1:80", "[::1]:80"]);
  assert.deepEqual(watch.addresses, ["127.0.0.1:80"]);
});

test("of two families IPv6 is used when only that accepts", async (t) => {
  const { watch } = await world(t, BOTH, ["[::1]:80"]);
  assert.deepEqual(watch.addresses, ["[::1]:80"]);
});

test("while neither family accepts, IPv4 stands and the choice is tried again", async (t) => {
  const fake = await world(t, BOTH);
  assert.deepEqual(fake.watch.addresses, ["127.0.0.1:80"]);
  fake.accepting.add("[::1]:80");
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["[::1]:80"]);
  fake.probed = [];
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(fake.probed, [], "a choice that works is not tried again");
});

test("a family in doubt is chosen anew with the next answer", async (t) => {
  const fake = await world(t, BOTH, ["127.0.0.1:80"]);
  fake.accepting = new Set(["[::1]:80"]);
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["127.0.0.1:80"]);
  fake.watch.doubt();
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["[::1]:80"]);
});

test("a name is asked for again when its TTL is over, and a change is told once", async (t) => {
  const fake = await world(t, { ipv4: ["192.0.2.1"], ipv6: [], ttlMs: 5_000 });
  fake.answer = { ipv4: ["192.0.2.9"], ipv6: [], ttlMs: 5_000 };
  t.mock.timers.tick(4_999);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["192.0.2.1:80"]);
  t.mock.timers.tick(1);
  await settle();
  t.mock.timers.tick(5_000);
  await settle();
  assert.deepEqual(fake.told, ["changed 192.0.2.1:80", "changed 192.0.2.9:80"]);
});

test("a question that fails keeps the last addresses, and failing is told once", async (t) => {
  const fake = await world(t, { ipv4: ["192.0.2.1"], ipv6: [], ttlMs: 1_000 });
  fake.answer = "EAI_AGAIN";
  t.mock.timers.tick(1_000);
  await settle();
  t.mock.timers.tick(10_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["192.0.2.1:80"]);
  fake.answer = { ipv4: ["192.0.2.1"], ipv6: [], ttlMs: 1_000 };
  t.mock.timers.tick(10_000);
  await settle();
  assert.deepEqual(fake.told, ["changed 192.0.2.1:80", "looked up EAI_AGAIN", "looked up "]);
});

test("a name without any address is asked for again soon", async (t) => {
  const fake = await world(t, "ENOTFOUND");
  assert.deepEqual(fake.watch.addresses, []);
  assert.equal(fake.watch.failure, "ENOTFOUND");
  fake.answer = { ipv4: ["192.0.2.1"], ipv6: [], ttlMs: 1_000 };
  t.mock.timers.tick(1_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["192.0.2.1:80"]);
});

test("after stop nothing is asked", async (t) => {
  const fake = await world(t, { ipv4: ["192.0.2.1"], ipv6: [], ttlMs: 1_000 });
  fake.watch.stop();
  fake.answer = { ipv4: ["192.0.2.9"], ipv6: [], ttlMs: 1_000 };
  t.mock.timers.tick(60_000);
  await settle();
  assert.deepEqual(fake.watch.addresses, ["192.0.2.1:80"]);
});
