/** What each policy flag does, from the command line to the backend. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { test } from "node:test";
import { startOrigin } from "./origin.ts";
import { ProxyProcess } from "./proxy-process.ts";

const timeout = 30_000;

interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** What the client is answered; 200 by default. */
  readonly status?: number;
  /** What the backend sees of these fields; `undefined`: not there. */
  readonly seen?: Readonly<Record<string, string | RegExp | undefined>>;
}

const RUNS: readonly { readonly flags: readonly string[]; readonly cases: readonly Case[] }[] = [
  {
    flags: [],
    cases: [
      { name: "names with _ are dropped", headers: { a_b: "1", c: "2" }, seen: { a_b: undefined, c: "2" } },
      { name: "an odd path passes", path: "/a%2Fb/../%00" },
      {
        name: "nobody is trusted",
        headers: { "x-forwarded-for": "1.1.1.1" },
        seen: { "x-forwarded-for": "127.0.0.1" },
      },
      { name: "no Forwarded", headers: { forwarded: "for=1.1.1.1" }, seen: { forwarded: undefined } },
      { name: "a request id passes", headers: { "x-request-id": "mine" }, seen: { "x-request-id": "mine" } },
      { name: "no request id", seen: { "x-request-id": undefined } },
      { name: "TE is dropped", headers: { te: "trailers", connection: "TE" }, seen: { te: undefined } },
      { name: "TRACE", method: "TRACE", status: 405 },
    ],
  },
  {
    flags: ["--underscore-names", "reject", "--reject-paths", "encoded-slash,dot-segment,nul"],
    cases: [
      { name: "a name with _", headers: { a_b: "1" }, status: 400 },
      { name: "an encoded slash", path: "/a%2Fb", status: 400 },
      { name: "a dot segment", path: "/a/%2e%2e/b", status: 400 },
      { name: "an encoded NUL", path: "/a%00b", status: 400 },
      { name: "a plain path", path: "/a/b" },
    ],
  },
  {
    flags: ["--reject-paths", "nul", "--request-id", "generate", "--trusted-proxies", "127.0.0.1"],
    cases: [
      { name: "a path of another kind", path: "/a%2Fb/.." },
      { name: "an encoded NUL", path: "/%00", status: 400 },
      {
        name: "a request id",
        headers: { "x-request-id": "mine" },
        seen: { "x-request-id": /^[0-9a-f]{32}$/ },
      },
    ],
  },
  {
    flags: [
      ...[
        "--underscore-names",
        "pass",
        "--trusted-proxies",
        "10.0.0.0/8,127.0.0.0/8",
        "--request-id",
        "keep",
      ],
      ...["--forwarded", "on", "--trailers", "pass", "--trace-method", "pass"],
    ],
    cases: [
      { name: "names with _ pass", headers: { a_b: "1" }, seen: { a_b: "1" } },
      {
        name: "a trusted proxy is believed",
        headers: { "x-forwarded-for": "1.1.1.1", "x-forwarded-proto": "https", host: "x" },
        seen: {
          "x-forwarded-for": "1.1.1.1, 127.0.0.1",
          "x-forwarded-proto": "https",
          forwarded: 'for=127.0.0.1;host="x";proto=http',
        },
      },
      { name: "a request id is kept", headers: { "x-request-id": "mine" }, seen: { "x-request-id": "mine" } },
      { name: "a request id is made", seen: { "x-request-id": /^[0-9a-f]{32}$/ } },
      { name: "TE: trailers", headers: { te: "trailers", connection: "TE" }, seen: { te: "trailers" } },
      { name: "TRACE", method: "TRACE" },
    ],
  },
];

for (const { flags, cases } of RUNS) {
  test(`policy: ${flags.join(" ") || "no flags"}`, { timeout }, async (t) => {
    let seen: IncomingHttpHeaders | undefined;
    const origin = await startOrigin(t, ({ headers }, response) => {
      seen = headers;
      response.end();
    });
    const proxy = await ProxyProcess.start(
      t,
      [origin.address],
      ["--workers", "1", "--health", "off", ...flags],
    );
    for (const {
      name,
      method = "GET",
      path = "/",
      headers = {},
      status = 200,
      seen: expected = {},
    } of cases) {
      await t.test(`${name}: ${status}`, async () => {
        seen = undefined;
        const sent = request({
          port: proxy.port,
          host: "127.0.0.1",
          agent: false,
          method,
          path,
          headers,
        }).end();
        const [response] = (await once(sent, "response")) as [IncomingMessage];
        response.resume();
        await once(response, "end");
        assert.equal(response.statusCode, status);
        assert.equal(seen !== undefined, status === 200, "a refused request is seen by nobody");
        for (const [field, value] of Object.entries(expected)) {
          if (value instanceof RegExp) assert.match(String(seen![field]), value);
          else assert.equal(seen![field], value, field);
        }
      });
    }
  });
}

test("policy: --via-name names the proxy whose loop is cut", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => response.end());
  const proxy = await ProxyProcess.start(t, [origin.address], ["--workers", "1", "--via-name", "edge-1"]);
  const via = (name: string) => Array.from({ length: 8 }, () => `1.1 ${name}`).join(", ");
  assert.equal((await fetch(proxy.url, { headers: { via: via("hp-proxy") } })).status, 200);
  const response = await fetch(proxy.url, { headers: { via: via("edge-1") } });
  assert.equal(response.status, 502);
  assert.match(response.headers.get("proxy-status") ?? "", /^edge-1; error=proxy_loop_detected/);
});
