import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { closeServer } from "./close-server.ts";

/** A server, and a connection that it has accepted. */
async function started(): Promise<{ server: Server; client: Socket }> {
  const server = createServer((_question, response) => response.end("ok"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await accepted;
  return { server, client };
}

const QUESTION = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

test("who was let in is answered, also when it asks only now", async () => {
  const { server, client } = await started();
  const closed = closeServer(server, 60_000);
  assert.equal(server.listening, false);
  client.write(QUESTION);
  assert.match(await text(client), /^HTTP\/1\.1 200 [\s\S]*ok/);
  await closed;
});

test("who asks nothing is cut in the end", async () => {
  const { server, client } = await started();
  await closeServer(server, 1);
  assert.equal(await text(client), "");
});

test("a second time the earlier end counts, and once all are gone nothing is waited for", async () => {
  const { server, client } = await started();
  const first = closeServer(server, 60_000);
  await closeServer(server, 1);
  await first;
  assert.equal(await text(client), "");
  await closeServer(server, 60_000);
});
