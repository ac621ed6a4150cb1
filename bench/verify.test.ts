/** A wrong answer is found: before a measurement, and when it comes only beside the load. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { SCENARIOS } from "./scenarios.ts";
import { fingerprint, sample } from "./verify.ts";

const SMALL_GET = SCENARIOS[0]!;
const WEB_SOCKET = SCENARIOS.find(({ load }) => load === "web-socket")!;
const UPLOAD = SCENARIOS.find(({ bodyBytes }) => bodyBytes > 0)!;

async function serving(listener: http.RequestListener): Promise<http.Server> {
  const server = http.createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: http.Server): number {
  return (server.address() as AddressInfo).port;
}

test("fingerprint: status, length and every byte of a body count", async () => {
  const bodies = ["hello", "hellp", "hello!", "hello"];
  const statuses = [200, 200, 200, 201];
  let asked = 0;
  await using server = await serving((_request, response) => {
    response.writeHead(statuses[asked]!).end(bodies[asked++]);
  });
  const seen = new Set<string>();
  for (const _ of bodies) seen.add(await fingerprint(portOf(server), SMALL_GET));
  assert.equal(seen.size, bodies.length);
});

test("fingerprint: a request body is sent whole", async () => {
  await using server = await serving(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    response.end(String(bytes));
  });
  assert.match(await fingerprint(portOf(server), UPLOAD), /^200 with 6 bytes/);
});

test("fingerprint: what should be upgraded and is not, is told", async () => {
  await using server = await serving((_request, response) => response.writeHead(404).end());
  assert.equal(await fingerprint(portOf(server), WEB_SOCKET), "404 instead of an upgrade");
});

test("sample: an answer that turns wrong under load is reported, and how it was wrong", async () => {
  let asked = 0;
  await using server = await serving((_request, response) => {
    asked++;
    server.emit("asked");
    response.end(asked > 2 ? "wrong" : "right");
  });
  const expected = await fingerprint(portOf(server), SMALL_GET);
  const stop = sample(portOf(server), SMALL_GET, expected);
  while (asked <= 3) await once(server, "asked");
  const { count, wrong } = await stop();
  assert.ok(count >= 3);
  assert.match(wrong, /^200 with 5 bytes/);
  assert.notEqual(wrong, expected);
});

test("sample: nothing is wrong where every answer is right", async () => {
  await using server = await serving((_request, response) => response.end("right"));
  const stop = sample(portOf(server), SMALL_GET, await fingerprint(portOf(server), SMALL_GET));
  const { count, wrong } = await stop();
  assert.equal(wrong, "");
  assert.ok(count >= 1);
});
