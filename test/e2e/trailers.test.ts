/** Trailer fields through the command, with and without `--trailers pass`. */
import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { test } from "node:test";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, type Scope } from "./proxy-process.ts";

const timeout = 30_000;

interface Seen {
  readonly body: string;
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

async function read(message: IncomingMessage): Promise<Seen> {
  let body = "";
  for await (const piece of message) body += String(piece);
  return { body, trailers: message.trailers };
}

/** Posts a body with trailers through the proxy; the backend answers with trailers. What each of them saw. */
async function exchange(t: Scope, argv: readonly string[]): Promise<{ origin: Seen; client: Seen }> {
  let origin: Seen | undefined;
  const backend = await startOrigin(t, async (message, response) => {
    origin = await read(message);
    response.writeHead(200, { Trailer: "Answer-Checksum" });
    response.write("pong");
    response.addTrailers({ "Answer-Checksum": "2", "Set-Cookie": "late=1" });
    response.end();
  });
  const proxy = await ProxyProcess.start(t, [backend.address], ["--workers", "1", ...argv]);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { TE: "trailers", Connection: "TE, close", Trailer: "Checksum" };
    const upload = request(proxy.url, { method: "POST", headers }, resolve);
    upload.on("error", reject);
    upload.write("ping");
    upload.addTrailers({ Checksum: "1", Authorization: "late" });
    upload.end();
  });
  const client = await read(response);
  return { origin: origin!, client };
}

test("--trailers pass: both sides see the trailers that may go on", { timeout }, async (t) => {
  const { origin, client } = await exchange(t, ["--trailers", "pass"]);
  assert.equal(origin.body, "ping");
  assert.deepEqual({ ...origin.trailers }, { checksum: "1" });
  assert.equal(client.body, "pong");
  assert.deepEqual({ ...client.trailers }, { "answer-checksum": "2" });
});

test("by default trailers are dropped", { timeout }, async (t) => {
  const { origin, client } = await exchange(t, []);
  assert.equal(origin.body, "ping");
  assert.deepEqual({ ...origin.trailers }, {});
  assert.equal(client.body, "pong");
  assert.deepEqual({ ...client.trailers }, {});
});
