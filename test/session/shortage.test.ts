/** Requests for which the worker has no connection left: they wait for one, and not for ever. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { route } from "../route/asking.ts";
import type { RawPeer } from "./raw-peer.ts";
import { heldAt, withChain } from "./scripted-chain.ts";
import { isServed, onEachEngine, type Stage } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OK_CLOSE = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const OTHER_CLUSTER = [{ cluster: 1, weight: 1 }];
const CONNECTIONS = 32;
const TWO_CLUSTERS = {
  backends: 2,
  engine: { connectionsMax: CONNECTIONS },
  routing: {
    routes: [route("/other", { action: { kind: "forward", targets: OTHER_CLUSTER } }), route("/")],
  },
  timeouts: { originIdleMs: 60_000 },
} as const;

/** Clients of the first backend, each with a request that it has not answered: two connections each. */
async function occupy(stage: Stage, count: number): Promise<{ client: RawPeer; origin: RawPeer }[]> {
  const pairs = [];
  for (let i = 0; i < count; i++) {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    pairs.push({ client, origin });
  }
  return pairs;
}

onEachEngine(
  "shortage: many requests to one cluster while another's idle connections hold the numbers are all served",
  TWO_CLUSTERS,
  async (stage) => {
    const [, other] = stage.backends;
    for (const [i, { client, origin }] of (await occupy(stage, 14)).entries()) {
      origin.write(OK);
      await client.message();
      await stage.eventually("it is idle", () => stage.counter(Counter.originsIdle) === i + 1);
    }
    const clients = Array.from({ length: 4 }, () => stage.client());
    for (const client of clients) client.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    for (let i = 0; i < clients.length; i++) {
      const origin = await other!.next();
      await origin.head();
      origin.write(OK_CLOSE);
    }
    for (const client of clients) assert.equal((await client.message()).body, "ok");
    assert.deepEqual(stage.reasons, []);
    assert.equal(stage.counter(Counter.errorOverload), 0);
  },
);

onEachEngine(
  "shortage: a request, and one with a body that is on its way, get the connection that another gives up",
  { engine: { connectionsMax: CONNECTIONS } },
  async (stage) => {
    const pairs = await occupy(stage, 15);
    const [first, second] = [stage.client(), stage.client()];
    first!.write(GET);
    second!.write(POST);
    await stage.eventually("they are in flight", () => stage.counter(Counter.requestsInFlight) === 17);
    second!.write("67890");
    for (const { origin } of pairs.slice(0, 2)) origin.write(OK_CLOSE);
    for (let i = 0; i < 2; i++) {
      const origin = await stage.backend.next();
      const head = await origin.head();
      if (head.startsWith("POST")) assert.equal(String(await origin.bytes(10)), "1234567890");
      origin.write(OK_CLOSE);
    }
    assert.equal((await first!.message()).body, "ok");
    assert.equal((await second!.message()).body, "ok");
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "shortage: where none comes back the answer is 503, behind the time that connecting may take",
  { engine: { connectionsMax: CONNECTIONS }, timeouts: { connectMs: 100 } },
  async (stage) => {
    const pairs = await occupy(stage, 15);
    const [first, second] = [stage.client(), stage.client()];
    first!.write(GET);
    second!.write(POST);
    for (const client of [first!, second!]) {
      const { head } = await client.message();
      assert.match(head, /^HTTP\/1\.1 503 /);
      assert.match(head, /connection_limit_reached/);
    }
    assert.deepEqual(stage.reasons, ["no_connection", "no_connection"]);
    assert.equal(stage.counter(Counter.errorOverload), 2);
    pairs[0]!.origin.write(OK_CLOSE);
    await pairs[0]!.client.message();
    await isServed(stage, first!);
  },
);

onEachEngine(
  "shortage: a client that leaves while its request waits leaves nothing behind",
  { engine: { connectionsMax: CONNECTIONS } },
  async (stage) => {
    const pairs = await occupy(stage, 15);
    const [first, second] = [stage.client(), stage.client()];
    first!.write(GET);
    second!.write(GET);
    await stage.eventually("they are in flight", () => stage.counter(Counter.requestsInFlight) === 17);
    first!.reset();
    await stage.eventually("one has gone", () => stage.counter(Counter.requestsInFlight) < 17);
    // Its number is the other's now.
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(OK);
    assert.equal((await second!.message()).body, "ok");
    assert.equal(pairs.length, 15);
    assert.deepEqual(stage.reasons, ["client_gone"]);
  },
);

onEachEngine(
  "shortage: a connection to another cluster that becomes idle while a request waits goes for it",
  TWO_CLUSTERS,
  async (stage) => {
    const pairs = await occupy(stage, 15);
    const [first, second] = [stage.client(), stage.client()];
    await stage.eventually("all numbers are taken", () => stage.counter(Counter.clientsOpen) === 17);
    first!.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    await stage.eventually("it waits", () => stage.counter(Counter.requestsInFlight) === 16);
    pairs[0]!.origin.write(OK);
    const origin = await stage.backends[1]!.next();
    await origin.head();
    origin.write(OK);
    assert.equal((await first!.message()).body, "ok");
    assert.equal(second!.text, "");
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine(
  "shortage: who can use a connection that becomes idle has it, whoever waits ahead for another",
  TWO_CLUSTERS,
  async (stage) => {
    const pairs = await occupy(stage, 15);
    const [first, second] = [stage.client(), stage.client()];
    await stage.eventually("all numbers are taken", () => stage.counter(Counter.clientsOpen) === 17);
    first!.write("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    await stage.eventually("one waits", () => stage.counter(Counter.requestsInFlight) === 16);
    second!.write(GET);
    await stage.eventually("both wait", () => stage.counter(Counter.requestsInFlight) === 17);
    const { origin } = pairs[0]!;
    origin.write(OK);
    await origin.head();
    // The second request, on the connection of the first client's backend.
    origin.write(OK);
    assert.equal((await second!.message()).body, "ok");
    const other = await stage.backends[1]!.next();
    await other.head();
    other.write(OK);
    assert.equal((await first!.message()).body, "ok");
    assert.equal(stage.counter(Counter.originsReused), 1);
    assert.deepEqual(stage.reasons, []);
  },
);

withChain(
  "shortage: a request that failed while it waited reaches no backend, whatever its hooks do with it",
  { engine: { connectionsMax: CONNECTIONS } },
  async (stage, chain) => {
    const pairs = await occupy(stage, 15);
    stage.replace({ timeouts: { ...stage.snapshot.timeouts, requestMs: 100 } });
    const [first, second] = [stage.client(), stage.client()];
    await stage.eventually("all numbers are taken", () => stage.counter(Counter.clientsOpen) === 17);
    const held = heldAt(stage, chain, "onError");
    first!.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    const exchange = await held;
    assert.equal(exchange.failureReason, "request_deadline");
    pairs[0]!.origin.write(OK_CLOSE);
    await pairs[0]!.client.message();
    // What comes to the backend next is another request: the first in line would have been before it.
    pairs[0]!.client.write("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    const origin = await stage.backend.next();
    assert.match(await origin.head(), /^GET \/next /);
    origin.write(OK);
    assert.equal((await pairs[0]!.client.message()).body, "ok");
    exchange.proceed();
    assert.match((await first!.message()).head, /^HTTP\/1\.1 504 /);
    assert.equal(second!.text, "");
  },
);
