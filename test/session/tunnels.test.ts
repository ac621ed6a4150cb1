/** Bytes relayed as they come: upgraded exchanges, and mode tcp. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Counter } from "../../src/contract/counters.ts";
import type { RawPeer } from "./raw-peer.ts";
import { deadAddress, onEachEngine, type Stage } from "./stage.ts";

const UPGRADE = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const LARGE_BYTES = 64 * 2 ** 20;
const TCP = { mode: "tcp" } as const;

async function upgraded(stage: Stage): Promise<{ client: RawPeer; origin: RawPeer }> {
  const client = stage.client();
  client.write(UPGRADE);
  const origin = await stage.backend.next();
  const head = await origin.head();
  assert.match(head, /\r\nUpgrade: echo\r\n/);
  assert.match(head, /\r\nConnection: Upgrade\r\n/);
  origin.write(SWITCH);
  assert.match(await client.head(), /^HTTP\/1\.1 101 [\s\S]*\r\nUpgrade: echo\r\n/);
  return { client, origin };
}

async function relayed(stage: Stage): Promise<{ client: RawPeer; origin: RawPeer }> {
  const client = stage.client();
  return { client, origin: await stage.backend.next() };
}

for (const [name, options, open] of [
  ["upgrade", {}, upgraded],
  ["tcp", TCP, relayed],
] as const) {
  onEachEngine(`${name}: bytes pass both ways`, options, async (stage) => {
    const { client, origin } = await open(stage);
    client.write("ping");
    assert.equal(await origin.until("ping"), "ping");
    origin.write("pong");
    assert.equal(await client.until("pong"), "pong");
    assert.equal(stage.counter(Counter.tunnelsOpen), 1);
    assert.equal(stage.counter(Counter.requestsInFlight), 0);
  });

  onEachEngine(`${name}: the client's FIN passes, the answer still comes`, options, async (stage) => {
    const { client, origin } = await open(stage);
    client.write("question");
    client.end();
    assert.equal(await origin.rest(), "question");
    origin.write("answer");
    origin.end();
    assert.equal(await client.rest(), "answer");
    await stage.eventually("the tunnel is gone", () => stage.counter(Counter.tunnelsOpen) === 0);
  });

  onEachEngine(`${name}: the backend's FIN passes, the client may go on`, options, async (stage) => {
    const { client, origin } = await open(stage);
    origin.write("hello");
    origin.end();
    assert.equal(await client.rest(), "hello");
    client.write("more");
    assert.equal(await origin.until("more"), "more");
    client.end();
    assert.equal(await origin.rest(), "");
    await stage.eventually("the tunnel is gone", () => stage.counter(Counter.tunnelsOpen) === 0);
  });

  onEachEngine(`${name}: a reset on one side is a reset on the other`, options, async (stage) => {
    const first = await open(stage);
    first.client.reset();
    await first.origin.broken();
    const second = await open(stage);
    second.origin.reset();
    await second.client.broken();
    await stage.eventually("both are gone", () => stage.counter(Counter.tunnelsOpen) === 0);
  });

  onEachEngine(`${name}: silence ends it`, { ...options, timeouts: { tunnelIdleMs: 40 } }, async (stage) => {
    const { client, origin } = await open(stage);
    await client.gone();
    await origin.gone();
    assert.equal(stage.counter(Counter.closedTunnelIdle), 1);
  });

  onEachEngine(`${name}: 64 MiB each way at once`, options, async (stage) => {
    const { client, origin } = await open(stage);
    const bytes = Buffer.alloc(LARGE_BYTES);
    for (let at = 0; at < bytes.length; at += 4) bytes.writeInt32LE(Math.imul(at, 0x9e37_79b1), at);
    const expected = createHash("sha256").update(bytes).digest("hex");
    const hashes = [client, origin].map((peer) => {
      const hash = createHash("sha256");
      peer.onBytes = (chunk) => void hash.update(chunk);
      return hash;
    });
    const pour = async (peer: RawPeer): Promise<void> => {
      await peer.pour(bytes);
      peer.end();
    };
    await Promise.all([pour(client), pour(origin), client.rest(), origin.rest()]);
    for (const hash of hashes) assert.equal(hash.digest("hex"), expected);
  });

  onEachEngine(`${name}: a side that does not read stops the other`, options, async (stage) => {
    const { client, origin } = await open(stage);
    origin.socket.pause();
    const poured = client.pour(Buffer.alloc(LARGE_BYTES));
    let before = -1;
    await stage.eventually("nothing moves", () => {
      const moved = stage.counter(Counter.originBytesOut) !== before;
      before = stage.counter(Counter.originBytesOut);
      assert.ok(stage.counter(Counter.largeSlotsUsed) <= 60, "slots are left");
      return !moved && before > 200_000;
    });
    // The other direction is not held up.
    origin.write("still here");
    await client.until("still here");
    origin.onBytes = () => {};
    origin.socket.resume();
    await poured;
    client.end();
    await origin.rest();
  });
}

onEachEngine("upgrade: early bytes of both sides reach the other", {}, async (stage) => {
  const client = stage.client();
  client.write(`${UPGRADE}early client`);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(`${SWITCH}early origin`);
  await client.head();
  assert.equal(await client.until("early origin"), "early origin");
  assert.equal(await origin.until("early client"), "early client");
  client.write("late");
  assert.equal(await origin.until("late"), "late");
  assert.equal(stage.counter(Counter.clientBytesIn), UPGRADE.length + "early clientlate".length);
  assert.equal(stage.counter(Counter.originBytesIn), SWITCH.length + "early origin".length);
});

onEachEngine("upgrade: one that is refused is a request like any other", {}, async (stage) => {
  const client = stage.client();
  for (let i = 0; i < 2; i++) {
    client.write(UPGRADE);
    const origin = stage.backend.peers[0] ?? (await stage.backend.next());
    await origin.head();
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert.equal((await client.message()).body, "no");
    await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  }
  assert.equal(stage.backend.peers.length, 1);
  assert.equal(stage.counter(Counter.tunnels), 0);
});

for (const protocol of ["h2c", "h2", "HTTP/2.0"]) {
  onEachEngine(`upgrade: HTTP/2 in clear text is not passed on, as ${protocol}`, {}, async (stage) => {
    const client = stage.client();
    const fields = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AA\r\n`;
    client.write(`GET / HTTP/1.1\r\nHost: h\r\n${fields}\r\n`);
    const origin = await stage.backend.next();
    assert.doesNotMatch(await origin.head(), /upgrade|http2/i);
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    assert.equal((await client.message()).body, "no");
  });
}

onEachEngine("upgrade: a backend that switches to HTTP/2 instead: 502", {}, async (stage) => {
  const client = stage.client();
  client.write(UPGRADE);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(SWITCH.replace("echo", "HTTP/2.0"));
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
  assert.deepEqual(stage.reasons, ["bad_response"]);
  await origin.gone();
});

onEachEngine("upgrade: trickled by both sides", {}, async (stage) => {
  const client = stage.client();
  await client.trickle(`${UPGRADE}abc`);
  const origin = await stage.backend.next();
  await origin.head();
  await origin.trickle(`${SWITCH}def`);
  await client.head();
  assert.equal(await client.until("def"), "def");
  assert.equal(await origin.until("abc"), "abc");
});

onEachEngine("upgrade: a tunnel holds draining up until it ends", {}, async (stage) => {
  const { client, origin } = await upgraded(stage);
  stage.session.drain();
  stage.engine.wake();
  client.write("ping");
  await origin.until("ping");
  assert.equal(stage.drainedCount, 0);
  client.end();
  origin.end();
  await stage.when("drained is told", () => (stage.drainedCount === 1 ? true : undefined));
});

onEachEngine("tcp: bytes and FIN before the backend stands are kept", TCP, async (stage) => {
  const client = stage.client();
  client.write("first");
  client.end();
  const origin = await stage.backend.next();
  assert.equal(await origin.rest(), "first");
  origin.end();
  await client.rest();
});

onEachEngine("tcp: a backend that refuses is left for the next", TCP, async (stage) => {
  const dead = { name: "dead", address: await deadAddress(), healthy: true };
  const alive = { name: "alive", address: stage.backend.address, healthy: true };
  stage.replace({ clusters: [{ name: "main", endpoints: [dead, alive] }] });
  for (let i = 0; i < 3; i++) {
    const client = stage.client();
    client.write("hello");
    const origin = await stage.backend.next();
    await origin.until("hello");
  }
  assert.ok(stage.counter(Counter.errorConnectRefused) >= 1);
  assert.deepEqual(stage.reasons, []);
});

onEachEngine("tcp: when all refuse, the client is reset", TCP, async (stage) => {
  const endpoints = [];
  for (const name of ["a", "b"]) endpoints.push({ name, address: await deadAddress(), healthy: true });
  stage.replace({ clusters: [{ name: "main", endpoints }] });
  const client = stage.client();
  await client.broken();
  assert.equal(stage.counter(Counter.errorConnectRefused), 2);
  assert.deepEqual(stage.reasons, ["connect_refused"]);
});

onEachEngine("tcp: without endpoints the client is reset", { ...TCP, endpoints: [] }, async (stage) => {
  const client = stage.client();
  await client.broken();
  assert.deepEqual(stage.reasons, ["no_endpoint"]);
});

onEachEngine(
  "tcp: more clients than the limit are reset",
  { ...TCP, limits: { clientsMax: 1 } },
  async (stage) => {
    const { client, origin } = await relayed(stage);
    await stage.client().broken();
    client.write("a");
    await origin.until("a");
  },
);
