/**
 * What the policy makes of a request's head, over real connections: what its backend sees, or how it is
 * refused. The tables beside `src/http1` have every case; here each option works from the snapshot on.
 */
import assert from "node:assert/strict";
import { parseNetwork } from "../../src/base/ip-address.ts";
import { Counter } from "../../src/contract/counters.ts";
import { DEFAULT_POLICY, type Policy } from "../../src/contract/snapshot.ts";
import type { RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const LOOPBACK = [parseNetwork("10.0.0.0/8")!, parseNetwork("127.0.0.0/8")!];
const STRANGERS = [parseNetwork("10.0.0.0/8")!];
const GET = "GET / HTTP/1.1";
const OWN = ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Via: 1.1 test", "X-Forwarded-Host: x"];
/** Paths that other proxies tidy up. */
const ODD_PATH = '/a//b/./../%2E%2e/%2f%5C\\;x=1/%00%zz%/"<>^`{|}?%2F/../&&=?';

interface Row {
  readonly name: string;
  readonly rfc: string;
  readonly policy?: Partial<Policy>;
  readonly request: readonly string[];
  /** What the backend sees; `#` stands for the 32 digits of a request id. */
  readonly seen: readonly string[];
}

const PASSED: readonly Row[] = [
  {
    name: "a path leaves byte for byte",
    rfc: "9110 §4.2.3",
    request: [`GET ${ODD_PATH} HTTP/1.1`, "Host: x"],
    seen: [`GET ${ODD_PATH} HTTP/1.1`, "Host: x", ...OWN],
  },
  {
    name: "a path in absolute-form, too",
    rfc: "9110 §4.2.3",
    request: [`GET http://x${ODD_PATH} HTTP/1.1`, "Host: other"],
    seen: [`GET ${ODD_PATH} HTTP/1.1`, "Host: x", ...OWN],
  },
  {
    name: "names with _ are dropped",
    rfc: "9110 §5.1",
    request: [GET, "Host: x", "X_Forwarded_For: evil", "Content_Length: 3", "A: 1"],
    seen: [GET, "Host: x", "A: 1", ...OWN],
  },
  {
    name: "names with _ pass where they may",
    rfc: "9110 §5.1",
    policy: { underscoreNames: "pass" },
    request: [GET, "Host: x", "X_Real_Name: eve", "X_Forwarded_For: evil"],
    seen: [GET, "Host: x", "X_Real_Name: eve", ...OWN],
  },
  {
    name: "a client that is not trusted says nothing about forwarding",
    rfc: "7239 §8.1",
    policy: { trustedProxies: STRANGERS },
    request: [
      GET,
      "Host: x",
      "X-Forwarded-For: 1.1.1.1",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
      "X-Forwarded-Prefix: /evil",
      "Forwarded: for=1.1.1.1",
    ],
    seen: [GET, "Host: x", ...OWN],
  },
  {
    name: "a trusted proxy is believed",
    rfc: "7239 §4",
    policy: { trustedProxies: LOOPBACK },
    request: [
      GET,
      "Host: x",
      "X-Forwarded-For: 1.1.1.1",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
      "Forwarded: for=1.1.1.1",
    ],
    seen: [
      GET,
      "Host: x",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
      "X-Forwarded-For: 1.1.1.1, 127.0.0.1",
      "Via: 1.1 test",
      "X-Forwarded-Host: x",
      'Forwarded: for=1.1.1.1, for=127.0.0.1;host="x";proto=http',
    ],
  },
  {
    name: "Forwarded",
    rfc: "7239 §4",
    policy: { forwarded: true },
    request: [GET, "Host: x"],
    seen: [GET, "Host: x", ...OWN, 'Forwarded: for=127.0.0.1;host="x";proto=http'],
  },
  {
    name: "a request id is generated",
    rfc: "9110 §7.6",
    policy: { requestId: "generate" },
    request: [GET, "Host: x", "X-Request-Id: mine"],
    seen: [GET, "Host: x", ...OWN, "X-Request-Id: #"],
  },
  {
    name: "a request id is kept for a trusted proxy",
    rfc: "9110 §7.6",
    policy: { requestId: "keep", trustedProxies: LOOPBACK },
    request: [GET, "Host: x", "X-Request-Id: mine"],
    seen: [GET, "Host: x", "X-Request-Id: mine", ...OWN],
  },
  {
    name: "a request id is not kept for others",
    rfc: "9110 §7.6",
    policy: { requestId: "keep" },
    request: [GET, "Host: x", "X-Request-Id: mine"],
    seen: [GET, "Host: x", ...OWN, "X-Request-Id: #"],
  },
  {
    name: "TE: trailers",
    rfc: "9110 §10.1.4",
    policy: { trailers: "pass" },
    request: [GET, "Host: x", "TE: gzip, trailers", "Connection: TE"],
    seen: [GET, "Host: x", ...OWN, "TE: trailers", "Connection: TE"],
  },
  {
    name: "TRACE passes where it may, one hop less",
    rfc: "9110 §7.6.2",
    policy: { traceMethod: "pass" },
    request: ["TRACE / HTTP/1.1", "Host: x", "Max-Forwards: 3"],
    seen: ["TRACE / HTTP/1.1", "Host: x", ...OWN, "Max-Forwards: 2"],
  },
  {
    name: "a request that has passed us once is in no loop yet",
    rfc: "9110 §7.6.3",
    request: [GET, "Host: x", "Via: 1.1 test"],
    seen: [GET, "Host: x", "Via: 1.1 test", ...OWN],
  },
];

for (const { name, rfc, policy = {}, request, seen } of PASSED) {
  onEachEngine(`heads: ${name} (RFC ${rfc})`, { policy }, async (stage) => {
    const client = stage.client();
    let origin: RawPeer | undefined;
    const ids = new Set<string>();
    // The second time byte by byte, on the same two connections.
    for (const trickles of [false, true]) {
      const wire = `${request.join("\r\n")}\r\n\r\n`;
      if (trickles) await client.trickle(wire);
      else client.write(wire);
      origin ??= await stage.backend.next();
      const head = await origin.head();
      const id = /X-Request-Id: ([0-9a-f]{32})\r\n/.exec(head)?.[1];
      if (id !== undefined) ids.add(id);
      assert.deepEqual(
        head
          .replace(id ?? "#", "#")
          .trimEnd()
          .split("\r\n"),
        seen,
      );
      origin.write(OK);
      assert.match((await client.message()).head, /^HTTP\/1\.1 200 /);
    }
    if (seen.includes("X-Request-Id: #")) assert.equal(ids.size, 2, "no id comes twice");
    assert.deepEqual(stage.reasons, []);
  });
}

const REFUSED: readonly {
  name: string;
  rfc: string;
  policy?: Partial<Policy>;
  request: readonly string[];
  status: number;
  reason: string;
  counter?: Counter;
  answer?: RegExp;
}[] = [
  {
    name: "a name with _",
    rfc: "9110 §5.1",
    policy: { underscoreNames: "reject" },
    request: [GET, "Host: x", "a_b: 1"],
    status: 400,
    reason: "underscore_name",
  },
  {
    name: "an encoded slash",
    rfc: "3986 §2.2",
    policy: { rejectEncodedSlashes: true },
    request: ["GET /a%2fb HTTP/1.1", "Host: x"],
    status: 400,
    reason: "path_refused",
  },
  {
    name: "a dot segment",
    rfc: "3986 §3.3",
    policy: { rejectDotSegments: true },
    request: ["GET http://x/a/%2e%2e/b HTTP/1.1", "Host: x"],
    status: 400,
    reason: "path_refused",
  },
  {
    name: "an encoded NUL",
    rfc: "3986 §2.1",
    policy: { rejectEncodedNul: true },
    request: ["GET /a%00b HTTP/1.1", "Host: x"],
    status: 400,
    reason: "path_refused",
  },
  {
    name: "TRACE",
    rfc: "9110 §9.3.8",
    request: ["TRACE / HTTP/1.1", "Host: x"],
    status: 405,
    reason: "trace_method",
    answer: /\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n/,
  },
  {
    name: "TRACE that may go no further",
    rfc: "9110 §7.6.2",
    policy: { traceMethod: "pass" },
    request: ["TRACE / HTTP/1.1", "Host: x", "Max-Forwards: 0"],
    status: 405,
    reason: "trace_method",
  },
  {
    name: "a loop",
    rfc: "9110 §7.6.3",
    request: [GET, "Host: x", `Via: ${Array.from({ length: 8 }, () => "1.1 TEST").join(", ")}`],
    status: 502,
    reason: "loop",
    counter: Counter.errorLoop,
    answer: /\r\nProxy-Status: test; error=proxy_loop_detected; details="loop"\r\n/,
  },
];

for (const row of REFUSED) {
  const { name, rfc, policy = {}, request, status, reason, counter = Counter.errorPolicy, answer } = row;
  onEachEngine(`heads: ${name} is refused with ${status} (RFC ${rfc})`, { policy }, async (stage) => {
    const client = stage.client();
    client.write(`${request.join("\r\n")}\r\n\r\n`);
    const { head } = await client.message();
    assert.ok(head.startsWith(`HTTP/1.1 ${status} `), head);
    if (answer !== undefined) assert.match(head, answer);
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, [reason]);
    assert.equal(stage.counter(counter), 1);
    assert.equal(stage.backend.peers.length, 0);
  });
}

onEachEngine(
  "heads: OPTIONS that may go no further is answered by us (RFC 9110 §7.6.2)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("OPTIONS * HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n");
    assert.match(
      await client.head(),
      /^HTTP\/1\.1 200 OK\r\nAllow: GET, [A-Z, ]+\r\nContent-Length: 0\r\nDate: .*\r\n\r\n$/,
    );
    // The connection goes on.
    client.write("OPTIONS * HTTP/1.1\r\nHost: x\r\nMax-Forwards: 1\r\n\r\n");
    const origin = await stage.backend.next();
    assert.match(await origin.head(), /\r\nMax-Forwards: 0\r\n/);
    origin.write(OK);
    await client.message();
    // One with a body ends it.
    client.write("OPTIONS * HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nContent-Length: 5\r\n\r\nhel");
    assert.match(await client.head(), /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*Connection: close\r\n/);
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, []);
    assert.equal(stage.backend.peers.length, 1);
  },
);

onEachEngine(
  "heads: a new policy holds for the next request, an old trust for its connection",
  {},
  async (stage) => {
    const client = stage.client();
    const forwardedFor = async (peer: RawPeer, origin: RawPeer | undefined): Promise<[RawPeer, string]> => {
      peer.write(`${GET}\r\nHost: x\r\na_b: 1\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n`);
      const backend = origin ?? (await stage.backend.next());
      const head = await backend.head();
      backend.write(OK);
      await peer.message();
      return [backend, `${head.includes("a_b")} ${/X-Forwarded-For: (.*)\r\n/.exec(head)![1]}`];
    };
    const [origin, before] = await forwardedFor(client, undefined);
    assert.equal(before, "false 127.0.0.1");
    stage.replace({ policy: { ...DEFAULT_POLICY, underscoreNames: "pass", trustedProxies: LOOPBACK } });
    assert.equal((await forwardedFor(client, origin))[1], "true 127.0.0.1");
    assert.equal((await forwardedFor(stage.client(), origin))[1], "true 1.1.1.1, 127.0.0.1");
  },
);

onEachEngine(
  "heads: a failure is told with the request id",
  { policy: { requestId: "generate" } },
  async (stage) => {
    const client = stage.client();
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n\r\n`);
    const origin = await stage.backend.next();
    const id = /X-Request-Id: (.*)\r\n/.exec(await origin.head())![1];
    origin.reset();
    assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
    assert.equal(stage.failures[0]!.requestId, id);
  },
);

const BARE_LF: readonly { name: string; begun: string }[] = [
  { name: "behind the version", begun: "GET / HTTP/1.1\n" },
  { name: "behind a field", begun: `${GET}\r\nHost: x\r\nA: b\n` },
  { name: "for the empty line", begun: `${GET}\r\nHost: x\r\n\n` },
  { name: "far behind", begun: `${GET}\r\nHost: x\r\nA: ${"b".repeat(3_000)}\n` },
];
for (const { name, begun } of BARE_LF) {
  onEachEngine(
    `heads: a bare LF ${name} is refused as soon as it is there (RFC 9112 §2.2)`,
    {},
    async (stage) => {
      const client = stage.client();
      await refusedAt(stage, client, begun);
      assert.deepEqual(stage.reasons, ["bare_lf"]);
    },
  );
}

/** Sends all but the last byte, sees that the proxy waits, sends it and sees that it answers. */
async function refusedAt(stage: Stage, client: RawPeer, begun: string): Promise<void> {
  await client.trickle(begun.slice(0, -1));
  await stage.eventually("all is read", () => stage.counter(Counter.clientBytesIn) === begun.length - 1);
  assert.deepEqual(stage.reasons, []);
  client.write(begun.slice(-1));
  assert.match((await client.message()).head, /^HTTP\/1\.1 400 /);
  assert.equal(await client.rest(), "");
}
