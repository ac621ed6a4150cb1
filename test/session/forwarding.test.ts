/**
 * What belongs to both ends passes as it is: fields that a proxy has no business with, in their order, the
 * target, and what is said of versions and protocols. docs/rfc.md leads here from the sections of the RFCs.
 */
import assert from "node:assert/strict";
import { parseNetwork } from "../../src/base/ip-address.ts";
import { Counter } from "../../src/contract/counters.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const OWN = ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Via: 1.1 test", "X-Forwarded-Host: x"];
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
const VIA = "Via: 1.1 test";

interface Row {
  readonly name: string;
  readonly rfc: string;
  /** Field lines that pass as they are. */
  readonly lines: readonly string[];
}

const REQUESTS: readonly Row[] = [
  {
    name: "fields nobody knows",
    rfc: "9110 §5.1",
    lines: ["X-New: \xe4 b", "x-NEW: 2", "Empty:", "Y!#$: ,"],
  },
  {
    name: "lines of one name, in their order",
    rfc: "9110 §5.3",
    lines: ["Accept: b", "Cookie: z=1", "Accept: a", "Via: 1.0 fred", "Cookie: a=2", "Via: 1.1 joe, 2 ann"],
  },
  {
    name: "credentials",
    rfc: "9110 §11.6.2",
    lines: ['Authorization: Digest a="b",  c=d', "Authentication-Info: x"],
  },
  {
    name: "negotiation",
    rfc: "9110 §12.5",
    lines: ["Accept-Encoding: gzip;q=0.5, , br", "Accept-Language: de", "Vary: *"],
  },
  {
    name: "conditions",
    rfc: "9110 §13.2.1",
    lines: [
      'If-Match: "a"',
      'If-None-Match: W/"b", *',
      "If-Modified-Since: not a date",
      "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    ],
  },
  { name: "ranges", rfc: "9110 §14.2", lines: ['If-Range: "a"', "Range: furlongs=1-2", "Content-Range: x"] },
  {
    name: "where the request comes from",
    rfc: "9110 §10.1.3",
    lines: ["Referer: http://x/y?z", "From: a@b"],
  },
  {
    name: "cache directives",
    rfc: "9111 §5.2",
    lines: ["Cache-Control: no-cache, new=1", "Pragma: no-cache"],
  },
  { name: "an expectation nobody knows", rfc: "9110 §10.1.1", lines: ["Expect: more"] },
];

for (const { name, rfc, lines } of REQUESTS) {
  onEachEngine(`passed to the backend: ${name} (RFC ${rfc})`, {}, async (stage) => {
    const client = stage.client();
    const request = ["REPORT /a HTTP/1.1", "Host: x", ...lines];
    client.write(Buffer.from(`${request.join("\r\n")}\r\n\r\n`, "latin1"));
    const origin = await stage.backend.next();
    assert.deepEqual((await origin.head()).trimEnd().split("\r\n"), [...request, ...OWN]);
    origin.write(OK);
    await client.message();
  });
}

const RESPONSES: readonly Row[] = [
  {
    name: "fields nobody knows",
    rfc: "9110 §5.1",
    lines: ["X-New: \xe4 b", "x_new: 2", "Empty:", "Y!#$: ,"],
  },
  {
    name: "lines of one name, in their order",
    rfc: "9110 §5.3",
    lines: ["Set-Cookie: z=1", "Link: <a>", "Set-Cookie: a=2", "Link: <b>", "Via: 1.0 fred"],
  },
  {
    name: "challenges",
    rfc: "9110 §11.6.1",
    lines: ['WWW-Authenticate: Basic realm="x",  Bearer', "WWW-Authenticate: New"],
  },
  {
    name: "what is allowed",
    rfc: "9110 §10.2.1",
    lines: ["Allow: GET, , NEW", "Server: a/1", "Retry-After: 7"],
  },
  {
    name: "what the content is",
    rfc: "9110 §7.7",
    lines: ["Content-Type: a/b", "Content-Encoding: gzip, new", 'ETag: W/"a"', "Last-Modified: y", "Vary: A"],
  },
  {
    name: "cache directives",
    rfc: "9111 §5.2",
    lines: ["Cache-Control: no-transform, new=1", "Age: 5", "Expires: 0"],
  },
  { name: "a range of a unit nobody knows", rfc: "9110 §14.4", lines: ["Content-Range: furlongs 1-2/3"] },
  {
    name: "what other proxies say of errors",
    rfc: "9209 §2",
    lines: ["Proxy-Status: a; error=dns_error", "Proxy-Status: b"],
  },
];

for (const { name, rfc, lines } of RESPONSES) {
  onEachEngine(`passed to the client: ${name} (RFC ${rfc})`, {}, async (stage) => {
    const client = stage.client();
    client.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    const origin = await stage.backend.next();
    await origin.head();
    const response = ["HTTP/1.1 206 Some", DATE, ...lines, "Content-Length: 3"];
    origin.write(Buffer.from(`${response.join("\r\n")}\r\n\r\n\x00\xffx`, "latin1"));
    const { head, body } = await client.message();
    assert.deepEqual(head.trimEnd().split("\r\n"), [...response, VIA]);
    assert.equal(body, "\x00\xffx");
  });
}

/** One exchange; returns what the backend and the client saw. */
async function exchange(stage: Stage, request: string, response: string): Promise<[string, string]> {
  const client = stage.client();
  client.write(request);
  const origin = await stage.backend.next();
  const seen = await origin.head();
  origin.write(response);
  const got = await client.head();
  client.close();
  return [seen, got];
}

onEachEngine(
  "versions: HTTP/1.0 from both sides leaves as 1.1, and Via says 1.0 (RFC 9110 §7.6.3)",
  {},
  async (stage) => {
    const response = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
    const [seen, got] = await exchange(stage, "GET / HTTP/1.0\r\n\r\n", response);
    assert.match(seen, /^GET \/ HTTP\/1\.1\r\nHost: \r\n[\s\S]*\r\nVia: 1\.0 test\r\n/);
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nVia: 1\.0 test\r\n/);
  },
);

onEachEngine(
  "versions: HTTP/1.0 with options that add lines, too (RFC 9110 §7.6.3)",
  { policy: { forwarded: true } },
  async (stage) => {
    const [seen] = await exchange(stage, "GET / HTTP/1.0\r\nHost: x\r\n\r\n", OK);
    assert.match(seen, /\r\nVia: 1\.0 test\r\n/);
  },
);

onEachEngine(
  "versions: an expectation in HTTP/1.0 is not passed on (RFC 9110 §10.1.1)",
  {},
  async (stage) => {
    const request = "POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na";
    const [seen] = await exchange(stage, request, OK);
    assert.doesNotMatch(seen, /expect/i);
  },
);

onEachEngine("upgrade: a 426 says to what (RFC 9110 §15.5.22)", {}, async (stage) => {
  const [, got] = await exchange(
    stage,
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: new/1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
  );
  assert.match(got, /^HTTP\/1\.1 426 [\s\S]*\r\nUpgrade: new\/1\r\n[\s\S]*\r\nConnection: Upgrade\r\n/);
});

onEachEngine("upgrade: other responses do not advertise (RFC 9110 §7.6.1)", {}, async (stage) => {
  for (const upgrade of ["200 OK\r\nUpgrade: new/1", "426 Upgrade Required\r\nUpgrade: h2c"]) {
    const [, got] = await exchange(
      stage,
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      `HTTP/1.1 ${upgrade}\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n`,
    );
    assert.doesNotMatch(got, /upgrade:/i);
  }
});

onEachEngine("upgrade: the fields of a WebSocket handshake pass (RFC 6455 §4)", {}, async (stage) => {
  const asked = [
    "Sec-WebSocket-Key: a==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: x; y",
    "Origin: z",
  ];
  const told = ["Sec-WebSocket-Accept: b=", "Sec-WebSocket-Protocol: p", "Sec-WebSocket-Extensions: x"];
  const upgrade = ["Upgrade: websocket", "Connection: Upgrade"];
  const [seen, got] = await exchange(
    stage,
    `${["GET / HTTP/1.1", "Host: x", ...upgrade, ...asked].join("\r\n")}\r\n\r\n`,
    `${["HTTP/1.1 101 Switching Protocols", ...upgrade, ...told].join("\r\n")}\r\n\r\n`,
  );
  const count = (head: string, lines: readonly string[]) =>
    head.split("\r\n").filter((line) => lines.includes(line)).length;
  assert.equal(count(seen, [...asked, ...upgrade]), asked.length + 2);
  assert.equal(count(got, [...told, ...upgrade]), told.length + 2);
});

onEachEngine(
  "proxy authentication: a backend's 407 goes on without its challenge (RFC 9110 §11.7.1)",
  {},
  async (stage) => {
    const [seen, got] = await exchange(
      stage,
      "GET / HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic a\r\n\r\n",
      "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nProxy-Authentication-Info: a\r\nContent-Length: 0\r\n\r\n",
    );
    assert.doesNotMatch(seen, /proxy-auth/i);
    assert.match(got, /^HTTP\/1\.1 407 No\r\n/);
    assert.doesNotMatch(got, /proxy-auth/i);
  },
);

onEachEngine("target: 8,000 bytes pass (RFC 9112 §3)", {}, async (stage) => {
  const target = `/${"a".repeat(7_999)}`;
  const [seen] = await exchange(stage, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, OK);
  assert.ok(seen.startsWith(`GET ${target} HTTP/1.1\r\n`));
});

onEachEngine(
  "target: OPTIONS for a whole server, without Max-Forwards (RFC 9110 §9.3.7)",
  {},
  async (stage) => {
    const [seen] = await exchange(stage, "OPTIONS http://x HTTP/1.1\r\nHost: other\r\n\r\n", OK);
    assert.match(seen, /^OPTIONS \* HTTP\/1\.1\r\nHost: x\r\n/);
    assert.doesNotMatch(seen, /max-forwards|other/i);
  },
);

onEachEngine("target: https in the clear is refused (RFC 9110 §7.4)", {}, async (stage) => {
  const client = stage.client();
  client.write("GET https://x/a HTTP/1.1\r\nHost: x\r\n\r\n");
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 421 Misdirected Request\r\n/);
  assert.match(head, /\r\nProxy-Status: test; error=http_request_denied; details="https_target"\r\n/);
  assert.match(body, /https URI/);
  assert.equal(await client.rest(), "");
  assert.deepEqual(stage.reasons, ["https_target"]);
  assert.equal(stage.counter(Counter.errorPolicy), 1);
});

onEachEngine(
  "target: https from a trusted proxy passes, with what it says of the scheme (RFC 9110 §7.4)",
  { policy: { trustedProxies: [parseNetwork("127.0.0.0/8")!] } },
  async (stage) => {
    const proto = "X-Forwarded-Proto: https\r\n";
    const [seen] = await exchange(stage, `GET https://x/a HTTP/1.1\r\nHost: x\r\n${proto}\r\n`, OK);
    assert.match(seen, /^GET \/a HTTP\/1\.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n/);
  },
);

onEachEngine(
  "persistence: what comes behind a request that says close is not asked (RFC 9112 §9.6)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    const origin = await stage.backend.next();
    assert.match(await origin.head(), /^GET \/1 /);
    origin.write(OK);
    assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nConnection: close\r\n\r\n$/);
    assert.equal(stage.counter(Counter.requests), 1);
  },
);

onEachEngine("persistence: an empty line between requests is skipped (RFC 9112 §2.2)", {}, async (stage) => {
  const client = stage.client();
  client.write(
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  const origin = await stage.backend.next();
  assert.match(await origin.head(), /^POST /);
  assert.equal((await origin.bytes(1)).toString(), "a");
  origin.write(OK);
  await client.message();
  assert.match(await origin.head(), /^GET \/2 HTTP/);
  origin.write(OK);
  await client.message();
});

onEachEngine(
  "persistence: an answer that closes is the last one asked for (RFC 9112 §9.6)",
  {},
  async (stage) => {
    const client = stage.client();
    for (let i = 0; i < 2; i++) {
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      const origin = await stage.backend.next();
      await origin.head();
      origin.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      assert.doesNotMatch((await client.message()).head, /\r\nConnection:/);
      await origin.gone();
    }
  },
);

onEachEngine("hosts: two are refused in HTTP/1.0, too (RFC 9112 §3.2)", {}, async (stage) => {
  const client = stage.client();
  client.write("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n");
  assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
  assert.deepEqual(stage.reasons, ["duplicate_host"]);
  assert.equal(stage.backend.peers.length, 0);
});

onEachEngine(
  "body: a final answer does not stop an upload that goes on (RFC 9110 §7.5)",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    const origin = await stage.backend.next();
    await origin.until("ab");
    origin.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    assert.match(await client.head(), /\r\nConnection: close\r\n/);
    assert.equal(await client.until("o"), "o");
    client.write("cd");
    assert.equal(await origin.until("cd"), "cd");
    origin.write("k");
    assert.equal(await client.rest(), "k");
  },
);

onEachEngine("heads: nothing is asked before a head is whole (RFC 9110 §5.3)", {}, async (stage) => {
  const slow = stage.client();
  slow.write("GET /slow HTTP/1.1\r\nHost: x\r\nA: b\r\n");
  await stage.eventually("it has come", () => stage.counter(Counter.clientBytesIn) > 0);
  const [seen] = await exchange(stage, "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n", OK);
  assert.match(seen, /^GET \/fast /);
  slow.write("If-Match: c\r\n\r\n");
  const origin = stage.backend.peers[0]!;
  assert.match(await origin.head(), /^GET \/slow HTTP\/1\.1\r\nHost: x\r\nA: b\r\nIf-Match: c\r\n/);
  origin.write(OK);
  assert.match((await slow.message()).head, /^HTTP\/1\.1 200 /);
});
