/** Trailer fields on both ways: dropped, or passed on where they were asked for and may be (RFC 9110 §6.5). */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import type { RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const PASS = { policy: { trailers: "pass" } } as const;
const ASKING = "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: Checksum\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Checksum\r\n\r\n";
const FIELDS = "Checksum: 1\r\nContent-Length: 4\r\nSet-Cookie: a=b\r\nX-Last: 2\r\n";
const KEPT = "Checksum: 1\r\nX-Last: 2\r\n";

/** Sends `request`, answers it with `response`; returns both heads and where each end stands. */
async function exchange(
  stage: Stage,
  request: string,
  response: string,
  trickled = false,
): Promise<{ client: RawPeer; origin: RawPeer; requestHead: string; responseHead: string }> {
  const client = stage.client();
  client.write(request);
  const origin = await stage.backend.next();
  const requestHead = await origin.head();
  if (trickled) await origin.trickle(response);
  else origin.write(response);
  return { client, origin, requestHead, responseHead: await client.head() };
}

/** The backend connection is in the pool again. */
async function isPooled(stage: Stage): Promise<void> {
  await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  assert.deepEqual(stage.reasons, []);
}

const RESPONSES: {
  name: string;
  options: object;
  request: string;
  response: string;
  /** What the client gets behind the head. */
  body: string;
  /** `Trailer` passes. */
  told: boolean;
}[] = [
  {
    name: "passed on where asked for, less what may not",
    options: PASS,
    request: ASKING,
    response: `${CHUNKED}2\r\nok\r\n0\r\n${FIELDS}\r\n`,
    body: `2\r\nok\r\n0\r\n${KEPT}\r\n`,
    told: true,
  },
  {
    name: "passed on behind a body without a byte",
    options: PASS,
    request: ASKING,
    response: `${CHUNKED}000;x\r\n${FIELDS}\r\n`,
    body: `0\r\n${KEPT}\r\n`,
    told: true,
  },
  {
    name: "none of them may",
    options: PASS,
    request: ASKING,
    response: `${CHUNKED}2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`,
    body: "2\r\nok\r\n0\r\n\r\n",
    told: true,
  },
  {
    name: "as large as may be",
    options: PASS,
    request: ASKING,
    response: `${CHUNKED}2\r\nok\r\n0\r\nA: ${"b".repeat(8_183)}\r\n\r\n`,
    body: `2\r\nok\r\n0\r\nA: ${"b".repeat(8_183)}\r\n\r\n`,
    told: true,
  },
  {
    name: "dropped where not asked for",
    options: PASS,
    request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    response: `${CHUNKED}2\r\nok\r\n0\r\n${FIELDS}\r\n`,
    body: "2\r\nok\r\n0\r\n\r\n",
    told: false,
  },
  {
    name: "dropped by default",
    options: {},
    request: ASKING,
    response: `${CHUNKED}2\r\nok\r\n0\r\n${FIELDS}\r\n`,
    body: "2\r\nok\r\n0\r\n\r\n",
    told: false,
  },
  {
    name: "dropped where Connection names a field",
    options: PASS,
    request: ASKING,
    response: `${CHUNKED.replace("OK\r\n", "OK\r\nConnection: X-Last\r\n")}2\r\nok\r\n0\r\n${FIELDS}\r\n`,
    body: "2\r\nok\r\n0\r\n\r\n",
    told: false,
  },
];
for (const { name, options, request, response, body, told } of RESPONSES) {
  for (const trickled of body.length > 1_000 ? [false] : [false, true]) {
    const how = trickled ? ", byte by byte" : "";
    onEachEngine(`trailers of a response: ${name} (RFC 9110 §6.5.1)${how}`, options, async (stage) => {
      const { client, responseHead } = await exchange(stage, request, response, trickled);
      assert.equal(/\r\nTrailer: Checksum\r\n/.test(responseHead), told);
      assert.equal((await client.bytes(body.length)).toString("latin1"), body);
      await isPooled(stage);
      assert.equal(client.text, "", "nothing comes behind");
    });
  }
}

onEachEngine("trailers of a response: none for an HTTP/1.0 client (RFC 9112 §7.1)", PASS, async (stage) => {
  const request = "GET / HTTP/1.0\r\nHost: x\r\nTE: trailers\r\nConnection: TE, keep-alive\r\n\r\n";
  const { client, requestHead, responseHead } = await exchange(
    stage,
    request,
    `${CHUNKED}2\r\nok\r\n0\r\n${FIELDS}\r\n`,
  );
  assert.doesNotMatch(requestHead, /\r\nTE:/i);
  assert.doesNotMatch(responseHead, /\r\nTrailer:/i);
  assert.equal(await client.rest(), "ok");
});

onEachEngine(
  "trailers: TE is said to the backend where the client says it (RFC 9110 §10.1.4)",
  PASS,
  async (stage) => {
    const { client, requestHead } = await exchange(stage, ASKING, OK);
    assert.match(requestHead, /\r\nTE: trailers\r\n/);
    assert.match(requestHead, /\r\nConnection: TE\r\n/);
    await client.until("ok");
  },
);

const REQUESTS: {
  name: string;
  options: object;
  head: string;
  body: string;
  forwarded: string;
  told: boolean;
}[] = [
  {
    name: "passed on, less what may not",
    options: PASS,
    head: POST,
    body: `2\r\nhi\r\n0\r\n${FIELDS}\r\n`,
    forwarded: `2\r\nhi\r\n0\r\n${KEPT}\r\n`,
    told: true,
  },
  {
    name: "dropped by default",
    options: {},
    head: POST,
    body: `2\r\nhi\r\n0\r\n${FIELDS}\r\n`,
    forwarded: "2\r\nhi\r\n0\r\n\r\n",
    told: false,
  },
  {
    name: "dropped where Connection names a field",
    options: PASS,
    head: POST.replace("Trailer", "Connection: Checksum\r\nTrailer"),
    body: `2\r\nhi\r\n0\r\n${FIELDS}\r\n`,
    forwarded: "2\r\nhi\r\n0\r\n\r\n",
    told: true,
  },
  {
    name: "as large as may be",
    options: PASS,
    head: POST,
    body: `0\r\nA: ${"b".repeat(8_183)}\r\n\r\n`,
    forwarded: `0\r\nA: ${"b".repeat(8_183)}\r\n\r\n`,
    told: true,
  },
];
for (const { name, options, head, body, forwarded, told } of REQUESTS) {
  for (const trickled of body.length > 1_000 ? [false] : [false, true]) {
    const how = trickled ? ", byte by byte" : "";
    onEachEngine(`trailers of a request: ${name} (RFC 9110 §6.5.1)${how}`, options, async (stage) => {
      const client = stage.client();
      if (trickled) await client.trickle(head + body);
      else client.write(head + body);
      const origin = await stage.backend.next();
      assert.equal(/\r\nTrailer: Checksum\r\n/.test(await origin.head()), told);
      assert.equal((await origin.bytes(forwarded.length)).toString("latin1"), forwarded);
      origin.write(OK);
      assert.equal((await client.message()).body, "ok");
      await isPooled(stage);
      assert.equal(origin.text, "", "nothing comes behind");
    });
  }
}

onEachEngine(
  "trailers: those that cannot be read cut the response (RFC 9112 §7.1.2)",
  PASS,
  async (stage) => {
    const { client, origin } = await exchange(stage, ASKING, `${CHUNKED}2\r\nok\r\n`);
    await client.until("ok");
    origin.write("0\r\nChecksum: 1\r\nBad trailer: x\r\n\r\n");
    await client.broken();
    await origin.gone();
    assert.doesNotMatch(client.text, /Checksum/);
    assert.deepEqual(stage.reasons, ["response_cut"]);
  },
);

onEachEngine("trailers: those of one exchange are not those of the next", PASS, async (stage) => {
  const { client, origin } = await exchange(stage, ASKING, `${CHUNKED}0\r\n${FIELDS}\r\n`);
  await client.until("X-Last: 2\r\n\r\n");
  await isPooled(stage);
  client.write(ASKING);
  await origin.head();
  origin.write(`${CHUNKED}1\r\na\r\n0\r\n\r\n`);
  await client.head();
  assert.equal((await client.bytes(11)).toString("latin1"), "1\r\na\r\n0\r\n\r\n");
  client.write(ASKING);
  await origin.head();
  origin.write(OK);
  assert.equal((await client.message()).body, "ok");
});
