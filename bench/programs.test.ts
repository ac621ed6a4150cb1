import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { accepts, freePort } from "./programs.ts";

test("a port that somebody listens on accepts", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  assert.equal(await accepts(port), true);
  server.close();
  await once(server, "close");
  assert.equal(await accepts(port), false);
});

test("a connection that has met itself is nobody who accepts", async () => {
  const port = await freePort();
  assert.equal(await accepts(port, port), false);
});
