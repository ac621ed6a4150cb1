/**
 * Backends that refuse, die or talk nonsense, in each phase; what is tried again, and what the client is
 * told.
 */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import type { RawBackend, RawPeer } from "./raw-peer.ts";
import { deadAddress, onEachEngine, type Stage } from "./stage.ts";

const GET = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const POST = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Whichever backend is connected to next; each connection is given once. */
async function anyNext(backends: readonly RawBackend[], seen: Set<RawPeer>): Promise<RawPeer> {
  const look = (): RawPeer | undefined =>
    backends.flatMap((backend) => backend.peers).find((peer) => !seen.has(peer));
  const found = look() ?? (await Promise.race(backends.map((each) => each.when("a connection", look))));
  seen.add(found);
  return found;
}

/** Leaves one idle connection to the backend. */
async function warm(stage: Stage, client: RawPeer, backend: RawBackend): Promise<RawPeer> {
  client.write(GET);
  const origin = await backend.next();
  await origin.head();
  origin.write(OK);
  await client.message();
  await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  return origin;
}

for (const [name, request] of [
  ["GET", GET],
  ["POST", POST],
] as const) {
  onEachEngine(`failing: a ${name} that meets a refusing backend goes to another`, {}, async (stage) => {
    stage.replace({
      clusters: [
        {
          name: "main",
          endpoints: [
            { name: "dead", address: await deadAddress(), healthy: true },
            { name: "alive", address: stage.backend.address, healthy: true },
          ],
        },
      ],
    });
    for (let i = 0; i < 3; i++) {
      const client = stage.client();
      client.write(request);
      const origin = stage.backend.peers[0] ?? (await stage.backend.next());
      await origin.until(request === POST ? "hello" : "\r\n\r\n");
      origin.write(OK);
      assert.equal((await client.message()).body, "ok");
      await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
    }
    assert.ok(stage.counter(Counter.errorConnectRefused) >= 1, "the dead one was tried");
    assert.ok(stage.endpointNews.length === 1 && stage.endpointNews[0]!.errno < 0, "and this is told once");
    assert.deepEqual(stage.reasons, []);
  });
}

onEachEngine("failing: all backends refuse: 502 (RFC 9110 §15.6.3), the client stays", {}, async (stage) => {
  const endpoints = [];
  for (let i = 0; i < 3; i++) {
    endpoints.push({ name: `dead-${i}`, address: await deadAddress(), healthy: true });
  }
  stage.replace({ clusters: [{ name: "main", endpoints }] });
  const client = stage.client();
  for (const request of [GET, POST, GET]) {
    client.write(request);
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
  }
  assert.deepEqual(stage.reasons, ["connect_refused", "connect_refused", "connect_refused"]);
  assert.equal(stage.counter(Counter.errorConnectRefused), 9);
  assert.equal(stage.failures[0]!.request, "GET /a");
  assert.equal(stage.failures[0]!.status, 502);
});

onEachEngine("failing: a body on its way to no backend: 502, then the end", {}, async (stage) => {
  const dead = { name: "dead", address: await deadAddress(), healthy: true };
  stage.replace({ clusters: [{ name: "main", endpoints: [dead] }] });
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nsome");
  const { head } = await client.message();
  assert.match(head, /^HTTP\/1\.1 502 /);
  assert.match(head, /\r\nConnection: close\r\n/);
  // What follows is thrown away, and the answer is not reset away.
  client.write("x".repeat(50_000));
  assert.equal(await client.rest(), "");
});

onEachEngine("failing: a flood of interim responses: 502 before slots run out", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3_000) + OK);
  await client.until("HTTP/1.1 502 Bad Gateway\r\n");
  assert.deepEqual(stage.reasons, ["bad_response"]);
  assert.equal(stage.counter(Counter.errorOverload), 0);
});

onEachEngine("failing: all down: 503 with Retry-After (RFC 9110 §15.6.4)", {}, async (stage) => {
  const endpoints = [{ name: "a", address: stage.backend.address, healthy: false }];
  stage.replace({ clusters: [{ name: "main", endpoints }] });
  const client = stage.client();
  client.write(GET + GET);
  for (let i = 0; i < 2; i++) {
    const { head, body } = await client.message();
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.match(head, /\r\nRetry-After: \d+\r\n/);
    // RFC 9110 §6.6.1.
    assert.match(head, /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    assert.notEqual(body, "");
  }
  client.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await client.head(), /^HTTP\/1\.1 503 /);
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
  assert.equal(stage.counter(Counter.errorNoEndpoint), 4);
  assert.equal(stage.backend.peers.length, 0);
});

onEachEngine("failing: no endpoints at all: 503", { endpoints: [] }, async (stage) => {
  const client = stage.client();
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 503 /);
});

onEachEngine(
  "failing: a GET whose backend dies before it answers goes elsewhere (RFC 9110 §9.2.2)",
  { backends: 2 },
  async (stage) => {
    const client = stage.client();
    const seen = new Set<RawPeer>();
    client.write(GET);
    const first = await anyNext(stage.backends, seen);
    await first.head();
    first.reset();
    const second = await anyNext(stage.backends, seen);
    assert.match(await second.head(), /^GET \/a /);
    second.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.equal(stage.counter(Counter.retries), 1);
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine("failing: FIN instead of an answer is as good as RST", { backends: 2 }, async (stage) => {
  const client = stage.client();
  const seen = new Set<RawPeer>();
  client.write(GET);
  const first = await anyNext(stage.backends, seen);
  await first.head();
  first.write("HTTP/1.1 200 OK\r\nContent-Le");
  first.end();
  const second = await anyNext(stage.backends, seen);
  await second.head();
  second.write(OK);
  assert.equal((await client.message()).body, "ok");
});

onEachEngine("failing: a POST whose backend dies is not sent twice: 502", { backends: 2 }, async (stage) => {
  const client = stage.client();
  const seen = new Set<RawPeer>();
  client.write(POST);
  const first = await anyNext(stage.backends, seen);
  await first.until("hello");
  first.reset();
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
  assert.deepEqual(stage.reasons, ["origin_reset"]);
  assert.equal(seen.size, 1);
  assert.equal(stage.counter(Counter.retries), 0);
  // The client's connection is as good as before.
  client.write(GET);
  const second = await anyNext(stage.backends, seen);
  await second.head();
  second.write(OK);
  assert.equal((await client.message()).body, "ok");
});

onEachEngine(
  "failing: a PUT with a small body is sent again (RFC 9110 §9.2.2)",
  { backends: 2 },
  async (stage) => {
    const client = stage.client();
    const seen = new Set<RawPeer>();
    client.write("PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    const first = await anyNext(stage.backends, seen);
    await first.until("hello");
    first.reset();
    const second = await anyNext(stage.backends, seen);
    assert.match(await second.until("hello"), /^PUT \/p /);
    second.write(OK);
    assert.equal((await client.message()).body, "ok");
  },
);

onEachEngine("failing: a GET that every backend dies of ends in 502", { backends: 2 }, async (stage) => {
  for (const backend of stage.backends) backend.onPeer = (peer) => void peer.head().then(() => peer.reset());
  const client = stage.client();
  client.write(GET);
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
  const attempts = stage.backends.reduce((sum, { peers }) => sum + peers.length, 0);
  assert.ok(attempts === 2, `each is tried once: ${attempts}`);
});

onEachEngine(
  "failing: an idle connection that died on the way costs no GET, though no other backend is up",
  { backends: 2 },
  async (stage) => {
    const [up, down] = stage.backends;
    const endpoints = [
      { name: "up", address: up!.address, healthy: true },
      { name: "down", address: down!.address, healthy: false },
    ];
    stage.replace({ clusters: [{ name: "main", endpoints }] });
    const client = stage.client();
    const first = await warm(stage, client, up!);
    client.write(GET);
    await first.head();
    first.reset();
    const second = await up!.next();
    await second.head();
    second.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine("failing: an idle connection that ends leaves the pool", {}, async (stage) => {
  const client = stage.client();
  const first = await warm(stage, client, stage.backend);
  first.end();
  await stage.eventually("the pool is empty", () => stage.counter(Counter.originsIdle) === 0);
  assert.equal(stage.counter(Counter.originsOpen), 0);
  client.write(POST);
  const second = await stage.backend.next();
  await second.until("hello");
  second.write(OK);
  assert.equal((await client.message()).body, "ok");
});

onEachEngine("failing: an idle connection that speaks unasked leaves the pool", {}, async (stage) => {
  const client = stage.client();
  const first = await warm(stage, client, stage.backend);
  first.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  await stage.eventually("the pool is empty", () => stage.counter(Counter.originsIdle) === 0);
  await first.gone();
});

interface Cut {
  readonly name: string;
  readonly begin: string;
  readonly end: "fin" | "rst";
}
const CUTS: readonly Cut[] = [
  { name: "a body by length", begin: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", end: "fin" },
  { name: "a body by length", begin: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", end: "rst" },
  {
    name: "a chunked body",
    begin: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    end: "fin",
  },
  {
    name: "a chunked body between chunks",
    begin: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    end: "fin",
  },
  { name: "a body until close", begin: "HTTP/1.1 200 OK\r\n\r\nhalf", end: "rst" },
];
for (const { name, begin, end } of CUTS) {
  onEachEngine(`failing: ${end} inside ${name}: the client sees the cut (RFC 9112 §8)`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(begin);
    await client.until("half");
    if (end === "fin") origin.end();
    else origin.reset();
    await client.broken();
    assert.deepEqual(stage.reasons, ["response_cut"]);
  });
}

const NONSENSE: readonly { name: string; response: string; reason?: string; fault?: string }[] = [
  { name: "no HTTP at all", response: "SSH-2.0-x\r\n", fault: "bad_status_line" },
  {
    name: "two lengths",
    response: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    fault: "duplicate_content_length",
  },
  {
    name: "a length beside chunks",
    response: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    fault: "content_length_with_transfer_encoding",
  },
  { name: "a folded line", response: "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", fault: "obs_fold" },
  { name: "a bare LF", response: "HTTP/1.1 200 OK\r\nA: b\n\r\n", fault: "bare_lf" },
  {
    name: "an interim response with content",
    response: "HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n",
    fault: "content_in_interim_response",
  },
  {
    name: "an upgrade nobody asked for",
    response: "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
  },
  {
    name: "a head without end",
    response: `HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}`,
    reason: "response_head_too_large",
    fault: "head_too_large",
  },
  {
    name: "a large head",
    response: `HTTP/1.1 200 OK\r\nA: ${"a".repeat(33_000)}\r\nContent-Length: 0\r\n\r\n`,
    reason: "response_head_too_large",
    fault: "head_too_large",
  },
  {
    name: "too many fields",
    response: `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(200)}\r\n`,
    reason: "response_head_too_large",
    fault: "too_many_fields",
  },
  {
    name: "a Connection that names too many fields",
    response: `HTTP/1.1 200 OK\r\nConnection: ${"b,".repeat(33)}\r\nContent-Length: 0\r\n\r\n`,
    fault: "too_many_connection_options",
  },
];
for (const { name, response, reason = "bad_response", fault } of NONSENSE) {
  onEachEngine(`failing: a backend that sends ${name}: 502`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    const origin = await stage.backend.next();
    await origin.head();
    await origin.pour(Buffer.from(response), 20_000);
    const { head } = await client.message();
    assert.match(head, /^HTTP\/1\.1 502 /);
    assert.ok(head.includes(`; details="${reason}"\r\n`), head);
    assert.deepEqual(stage.reasons, [reason]);
    assert.equal(stage.failures[0]!.fault, fault);
    assert.equal(stage.counter(Counter.errorBadResponse), 1);
    await origin.gone();
  });
}

onEachEngine("failing: a chunk that cannot be read cuts the response", {}, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n");
  await client.broken();
  assert.deepEqual(stage.reasons, ["response_cut"]);
});

onEachEngine(
  "failing: no connection number is left: 503, and the next is served",
  {
    engine: { connectionsMax: 2 },
  },
  async (stage) => {
    const first = stage.client();
    first.write(GET);
    const origin = await stage.backend.next();
    const second = stage.client();
    await origin.head();
    origin.write(OK);
    await first.message();
    second.write(GET);
    first.close();
    // It is accepted as soon as the first has gone, and takes the idle connection.
    await origin.head();
    origin.write(OK);
    assert.equal((await second.message()).body, "ok");
  },
);
