/** Listeners that come and go while others serve: what happens to their clients. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { dial, type RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/** What is queued for so many turns is not taken. */
const LOOKS = 50;

/** Opens listener 1, which leads where listener 0 does. */
async function openSecond(stage: Stage): Promise<string> {
  stage.replace({ listeners: [{ cluster: 0 }, { cluster: 0 }] });
  stage.session.openListener(1);
  return await stage.engine.addListener(1, { host: "127.0.0.1", port: 0 });
}

function removeSecond(stage: Stage): Promise<void> {
  stage.session.drainListener(1);
  return stage.engine.removeListener(1);
}

/** One request and its answer, whose head is returned. */
async function exchange(stage: Stage, client: RawPeer): Promise<string> {
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(OK);
  origin.end();
  return (await client.message()).head;
}

onEachEngine("listeners: idle clients of one that goes are closed, others stay", {}, async (stage) => {
  const staying = stage.client();
  const leaving = dial(await openSecond(stage));
  await exchange(stage, staying);
  await exchange(stage, leaving);
  await removeSecond(stage);
  await leaving.gone();
  assert.doesNotMatch(await exchange(stage, staying), /connection: close/i);
});

onEachEngine("listeners: a request on its way when its listener goes is answered", {}, async (stage) => {
  const client = dial(await openSecond(stage));
  client.write(GET);
  const origin = await stage.backend.next();
  await origin.head();
  await removeSecond(stage);
  origin.write(OK);
  const { head, body } = await client.message();
  assert.match(head, /connection: close/i);
  assert.equal(body, "ok");
  await client.gone();
});

onEachEngine("listeners: what its clients do not end in time is cut", {}, async (stage) => {
  const address = await openSecond(stage);
  const waiting = dial(address);
  waiting.write(GET);
  await (await stage.backend.next()).head();
  const tunnel = dial(address);
  tunnel.write(UPGRADE);
  const origin = await stage.backend.next();
  await origin.head();
  origin.write(SWITCHED);
  await tunnel.head();
  await removeSecond(stage);
  assert.equal(stage.counter(Counter.tunnelsOpen), 1);
  stage.session.cutListener(1);
  stage.engine.wake();
  assert.match(await waiting.head(), /^HTTP\/1\.1 503 /);
  await Promise.all([tunnel.broken(), origin.broken()]);
  waiting.close();
  assert.deepEqual(stage.reasons, ["drain_cut", "drain_cut"]);
  assert.equal(stage.counter(Counter.errorDrainCut), 2);
});

onEachEngine(
  "listeners: in mode tcp, relays of one that goes live until they are cut",
  { mode: "tcp" },
  async (stage) => {
    const client = dial(await openSecond(stage));
    client.write("hello");
    const origin = await stage.backend.next();
    await origin.until("hello");
    await removeSecond(stage);
    origin.write("world");
    await client.until("world");
    stage.session.cutListener(1);
    stage.engine.wake();
    await Promise.all([client.broken(), origin.broken()]);
    assert.deepEqual(stage.reasons, ["drain_cut"]);
  },
);

onEachEngine("cutAll: all that is in flight ends as what it is, cut short", {}, async (stage) => {
  const ask = async (text: string): Promise<[RawPeer, RawPeer]> => {
    const client = stage.client();
    client.write(text);
    const origin = await stage.backend.next();
    await origin.head();
    return [client, origin];
  };
  const [waiting] = await ask(GET);
  const [reading, writer] = await ask("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  writer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  await reading.until("abc");
  const [tunnel, origin] = await ask(UPGRADE);
  origin.write(SWITCHED);
  await tunnel.head();
  const idle = stage.client();
  await exchange(stage, idle);
  stage.engine.stopAccepting();
  stage.session.cutAll();
  stage.engine.wake();
  assert.match(await waiting.head(), /^HTTP\/1\.1 503 [\s\S]*connection: close/i);
  await Promise.all([reading.broken(), tunnel.broken(), origin.broken(), idle.rest()]);
  await stage.when("it is drained", () => (stage.drainedCount === 1 ? true : undefined));
  assert.deepEqual(stage.reasons, ["drain_cut", "drain_cut", "drain_cut"]);
  assert.equal(stage.counter(Counter.errorDrainCut), 3);
});

onEachEngine("cutAll: in mode tcp, relays are reset", { mode: "tcp" }, async (stage) => {
  const client = stage.client();
  client.write("hello");
  const origin = await stage.backend.next();
  await origin.until("hello");
  stage.engine.stopAccepting();
  stage.session.cutAll();
  stage.engine.wake();
  await Promise.all([client.broken(), origin.broken()]);
  await stage.when("it is drained", () => (stage.drainedCount === 1 ? true : undefined));
  assert.deepEqual(stage.reasons, ["drain_cut"]);
});

/** Writes until a client's kernel takes no more, and little is queued for it: the end of the response is still read. */
async function pourUntilQueued(stage: Stage, connection: number, origin: RawPeer): Promise<void> {
  const piece = Buffer.alloc(60_000, "x");
  for (let looks = 0; looks < LOOKS; looks++) {
    if (stage.engine.queuedBytes(connection) > 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      continue;
    }
    looks = 0;
    const bytes = stage.counter(Counter.originBytesIn) + piece.length;
    origin.write(piece);
    await stage.eventually("it has come", () => stage.counter(Counter.originBytesIn) >= bytes);
  }
}

onEachEngine("cutAll: a last response that has not left whole is reset", {}, async (stage) => {
  const { session } = stage;
  const accepted = session.accepted.bind(session);
  let connection = -1;
  session.accepted = (number, listener) => {
    connection = number;
    accepted(number, listener);
  };
  const client = stage.client();
  client.socket.pause();
  client.write("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  const origin = await stage.backend.next();
  await origin.head();
  origin.write("HTTP/1.1 200 OK\r\n\r\n");
  await pourUntilQueued(stage, connection, origin);
  origin.end();
  await stage.eventually("the response is over", () => stage.counter(Counter.requestsInFlight) === 0);
  stage.session.cutAll();
  stage.engine.wake();
  client.socket.resume();
  await client.broken();
  assert.equal(stage.counter(Counter.errorDrainCut), 1);
});

onEachEngine("listeners: a number is used again", {}, async (stage) => {
  await openSecond(stage);
  await removeSecond(stage);
  const client = dial(await openSecond(stage));
  for (let round = 0; round < 2; round++)
    assert.doesNotMatch(await exchange(stage, client), /connection: close/i);
  client.close();
});

onEachEngine("snapshot: the name in Via and Proxy-Status is followed", {}, async (stage) => {
  const client = stage.client();
  assert.match(await exchange(stage, client), /\r\nVia: 1\.1 test\r\n/);
  stage.replace({ viaName: "other-name" });
  assert.match(await exchange(stage, client), /\r\nVia: 1\.1 other-name\r\n/);
  stage.replace({ clusters: [{ name: "main", endpoints: [] }] });
  client.write(GET);
  assert.match(await client.head(), /\r\nProxy-Status: other-name;/);
});
