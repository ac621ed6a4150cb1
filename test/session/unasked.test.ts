/**
 * Bytes of a backend that no request asked for: they are nobody's response, whenever they come (RFC 9112
 * §9.2). A backend that can be made to send a second response would answer one client with what was meant for
 * another.
 */
import assert from "node:assert/strict";
import { RECEIVE_BYTES } from "../../src/base/buffer-pool.ts";
import { Counter } from "../../src/contract/counters.ts";
import type { RawPeer } from "./raw-peer.ts";
import { isServed, onEachEngine, type Stage } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/** A client and the backend connection that has served it and is idle now. */
async function served(stage: Stage): Promise<{ client: RawPeer; origin: RawPeer }> {
  const client = stage.client();
  const origin = await isServed(stage, client);
  await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  return { client, origin };
}

/** The request under way is answered over another connection, and the client sees nothing of the first. */
async function answeredElsewhere(stage: Stage, client: RawPeer, origin: RawPeer): Promise<void> {
  const next = await stage.backend.next();
  await next.head();
  next.write(OK.replace("ok", "42"));
  assert.equal((await client.message()).body, "42");
  await origin.gone();
  assert.deepEqual(stage.reasons, []);
}

onEachEngine("unasked: bytes on an idle connection close it", {}, async (stage) => {
  const { client, origin } = await served(stage);
  origin.write(EVIL);
  await stage.eventually("the connection is closed", () => stage.counter(Counter.originsOpen) === 0);
  client.write(GET);
  await answeredElsewhere(stage, client, origin);
});

for (const { name, request } of [
  { name: "a request", request: GET },
  { name: "a POST, of which nothing has left", request: POST },
]) {
  // Both are in the kernel before the engine looks: one batch has them.
  onEachEngine(`unasked: bytes that wait when ${name} comes`, {}, async (stage) => {
    const { client, origin } = await served(stage);
    origin.write(EVIL);
    client.write(request);
    await answeredElsewhere(stage, client, origin);
  });

  onEachEngine(`unasked: bytes that come with ${name}`, {}, async (stage) => {
    const { client, origin } = await served(stage);
    client.write(request);
    origin.write(EVIL);
    await answeredElsewhere(stage, client, origin);
  });
}

onEachEngine("unasked: a second response behind the first, for a pipelined request", {}, async (stage) => {
  const { client, origin } = await served(stage);
  client.write(GET + GET);
  await origin.head();
  origin.write(OK + EVIL);
  assert.equal((await client.message()).body, "ok");
  await answeredElsewhere(stage, client, origin);
});

onEachEngine("unasked: a second response in the next segment, for a pipelined request", {}, async (stage) => {
  const { client, origin } = await served(stage);
  // As large as one receive takes at most, so that what follows may come apart, in the same batch.
  const large = `HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n${"x".repeat(65_494)}`;
  assert.equal(large.length, RECEIVE_BYTES);
  client.write(GET + GET);
  await origin.head();
  origin.write(large + EVIL);
  assert.equal((await client.message()).body.length, 65_494);
  const next = await stage.backend.next();
  await next.head();
  next.write(OK);
  assert.equal((await client.message()).body, "ok");
  await origin.gone();
});
