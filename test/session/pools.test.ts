/** Which idle backend connections go when there are too many of them, or too few numbers for others. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { route } from "../route/asking.ts";
import type { RawPeer } from "./raw-peer.ts";
import { isServed, onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OTHER_CLUSTER = [{ cluster: 1, weight: 1 }];

onEachEngine("pools: one that may keep fewer closes those used longest ago", {}, async (stage) => {
  const clients = [stage.client(), stage.client(), stage.client()];
  const origins: RawPeer[] = [];
  for (const client of clients) {
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origins.push(origin);
  }
  for (const [i, origin] of origins.entries()) {
    origin.write(OK);
    await clients[i]!.message();
    await stage.eventually("it is idle", () => stage.counter(Counter.originsIdle) === i + 1);
  }
  const pool = (poolSizePerEndpoint: number): void =>
    stage.replace({ limits: { ...stage.snapshot.limits, poolSizePerEndpoint } });
  pool(1);
  assert.equal(await origins[0]!.rest(), "");
  assert.equal(await origins[1]!.rest(), "");
  assert.equal(stage.counter(Counter.originsIdle), 1);
  pool(0);
  assert.equal(await origins[2]!.rest(), "");
  await isServed(stage, clients[0]!);
  await stage.eventually("nothing is kept", () => stage.counter(Counter.originsOpen) === 0);
  pool(2);
  await isServed(stage, clients[0]!);
  await stage.eventually("it is kept again", () => stage.counter(Counter.originsIdle) === 1);
});

/** 32 connections: two are to be free, so that at most 30 are open as long as some of them are idle. */
onEachEngine(
  "pools: idle connections go when numbers of connections run short, those used longest ago first",
  {
    backends: 2,
    engine: { connectionsMax: 32 },
    routing: {
      routes: [route("/other", { action: { kind: "forward", targets: OTHER_CLUSTER } }), route("/")],
    },
    timeouts: { originIdleMs: 60_000 },
  },
  async (stage) => {
    const [first, other] = stage.backends;
    const origins: RawPeer[] = [];
    for (let i = 0; i < 15; i++) {
      stage.client().write(GET);
      origins.push(await first!.next());
      await origins[i]!.head();
    }
    for (const [i, origin] of origins.entries()) {
      origin.write(OK);
      await stage.eventually("it is idle", () => stage.counter(Counter.originsIdle) === i + 1);
    }
    for (let i = 0; i < 6; i++) {
      const client = stage.client();
      client.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
      const origin = await other!.next();
      await origin.head();
      origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
      assert.equal((await client.message()).body, "ok");
    }
    // 21 clients are there, and the last of them had a backend connection besides.
    for (const origin of origins.slice(0, 7)) assert.equal(await origin.rest(), "");
    await stage.eventually("the others stay", () => stage.counter(Counter.originsIdle) === 8);
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "pools: a worker that is full of clients reuses backend connections all the same",
  { engine: { connectionsMax: 32 }, timeouts: { originIdleMs: 60_000 } },
  async (stage) => {
    const clients = Array.from({ length: 30 }, () => stage.client());
    await stage.eventually("they are in", () => stage.counter(Counter.clientsOpen) === 30);
    const origin = await isServed(stage, clients[0]!);
    for (const client of clients) {
      await stage.eventually("it is idle", () => stage.counter(Counter.originsIdle) === 1);
      client.write(GET);
      await origin.head();
      origin.write(OK);
      assert.equal((await client.message()).body, "ok");
    }
    assert.equal(stage.counter(Counter.originsOpened), 1);
  },
);
