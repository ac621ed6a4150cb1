/** Routes over real connections: where a request arrives, what became of it on the way, and what is answered here. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import type { Route, Routing } from "../../src/contract/routing.ts";
import { DEFAULT_TIMEOUTS } from "../../src/contract/snapshot.ts";
import { conditionOf, route } from "../route/asking.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const OK = "HTTP/1.1 200 OK\r\nServer: s\r\nX-Old: 1\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1";
const HOST = "Host: h.example:81";

const to = (...clusters: number[]): Route["action"] => ({
  kind: "forward",
  targets: clusters.map((cluster) => ({ cluster, weight: 1 })),
});
const routing = (...routes: Route[]): Routing => ({ routes });
const text = (lines: readonly string[]) => `${lines.join("\r\n")}\r\n\r\n`;

/** Sends a request, answers it at backend `index`, and returns what that saw and what the client got. */
async function exchange(
  stage: Stage,
  index: number,
  lines: readonly string[],
): Promise<{ seen: string; got: string }> {
  const client = stage.client();
  client.write(text(lines));
  const backend = await stage.backends[index]!.next();
  const seen = await backend.head();
  backend.write(OK);
  const { head } = await client.message();
  client.close();
  return { seen, got: head };
}

onEachEngine(
  "routes: a request goes to the cluster of its route",
  {
    backends: 3,
    routing: routing(
      route("", { action: to(0) }),
      route("prefix /api", { action: to(1) }),
      route("prefix /api", { action: to(2), fields: [conditionOf("x-canary=yes")] }),
    ),
  },
  async (stage) => {
    await exchange(stage, 0, [GET, HOST]);
    await exchange(stage, 1, ["GET /api/x HTTP/1.1", HOST]);
    await exchange(stage, 2, ["GET /api/x HTTP/1.1", HOST, "X-Canary: yes"]);
  },
);

interface Edited {
  readonly name: string;
  readonly route: Route;
  readonly request: readonly string[];
  readonly target?: string;
  /** Lines that the backend sees, and that it does not see. */
  readonly sees?: readonly string[];
  readonly seesNot?: readonly RegExp[];
  readonly gets?: readonly string[];
  readonly getsNot?: readonly RegExp[];
}

const EDITED: readonly Edited[] = [
  {
    name: "a prefix is taken off, its query stays",
    route: route("prefix /api", { rewrite: { kind: "prefix", from: "/api", to: "" } }),
    request: ["GET /api/x/y?q=1 HTTP/1.1", HOST],
    target: "/x/y?q=1",
  },
  {
    name: "a prefix that is the whole path leaves /",
    route: route("prefix /api", { rewrite: { kind: "prefix", from: "/api", to: "" } }),
    request: ["GET /api?q HTTP/1.1", HOST],
    target: "/?q",
  },
  {
    name: "a prefix is replaced by a longer one, in absolute-form too",
    route: route("prefix /a", { rewrite: { kind: "prefix", from: "/a", to: "/somewhere/else" } }),
    request: ["GET http://h.example/a/b HTTP/1.1", HOST],
    target: "/somewhere/else/b",
  },
  {
    name: "a prefix that is not there changes nothing",
    route: route("", { rewrite: { kind: "prefix", from: "/api", to: "/x" } }),
    request: ["GET /apis HTTP/1.1", HOST],
    target: "/apis",
  },
  {
    name: "a template with parts of the path",
    route: route("/users/:id/*rest", { rewrite: { kind: "template", text: `/u/$rest/of/$${"{id}"}` } }),
    request: ["GET /users/7/a/b?q HTTP/1.1", HOST],
    target: "/u/a/b/of/7?q",
  },
  {
    name: "a template of a regular expression, with a query of its own",
    route: route("regex /(?<lang>en|de)/(.*)", { rewrite: { kind: "template", text: "/$2?lang=$lang" } }),
    request: ["GET /en/a/b?q HTTP/1.1", HOST],
    target: "/a/b?lang=en",
  },
  {
    name: "a template that names the query has it once",
    route: route("", { rewrite: { kind: "template", text: "/v2$path$query" } }),
    request: ["GET /a?b HTTP/1.1", HOST],
    target: "/v2/a?b",
  },
  {
    name: "a template that names the target has the query once",
    route: route("", { rewrite: { kind: "template", text: "/v2$target" } }),
    request: ["GET /a?b HTTP/1.1", HOST],
    target: "/v2/a?b",
  },
  {
    name: "a variable with blanks does not end the target",
    route: route("", { rewrite: { kind: "template", text: "/v2/$request_id" } }),
    request: ["GET /a HTTP/1.1", HOST, "X-Request-Id: x HTTP/1.1 \xff\ty#z"],
    target: "/v2/x_HTTP/1.1___y_z",
  },
  {
    name: "a target of * stays",
    route: route("", { rewrite: { kind: "template", text: "/x" } }),
    request: ["OPTIONS * HTTP/1.1", HOST],
    target: "*",
  },
  {
    name: "request fields are set, added and removed, with variables",
    route: route("/a/:id", {
      requestFields: [
        { kind: "set", name: "Host", value: "inner.example" },
        { kind: "set", name: "X-User", value: "$id@$host" },
        { kind: "add", name: "X-Tag", value: "b" },
        { kind: "remove", name: "Cookie", value: "" },
        { kind: "set", name: "X-All", value: "$method $scheme://$authority$target $client_address$$" },
        { kind: "set", name: "X-Query", value: "$query" },
      ],
    }),
    request: [
      "GET /a/7 HTTP/1.1",
      HOST,
      "Cookie: a",
      "x-user: evil",
      "X-Tag: a",
      "COOKIE: b",
      "X-Query: evil",
    ],
    target: "/a/7",
    sees: [
      "Host: inner.example",
      "X-User: 7@h.example",
      "X-Tag: a",
      "X-Tag: b",
      "X-All: GET http://h.example:81/a/7 127.0.0.1$",
      "X-Forwarded-Host: h.example:81",
    ],
    seesNot: [/cookie/i, /evil/, /x-query/i, /^host: h\.example/im],
  },
  {
    name: "Host stays where it is set to nothing",
    route: route("", { requestFields: [{ kind: "set", name: "Host", value: "$host" }] }),
    request: [GET, "Host:"],
    sees: ["Host: "],
  },
  {
    name: "response fields are set, added and removed",
    route: route("", {
      responseFields: [
        { kind: "remove", name: "server", value: "" },
        { kind: "set", name: "X-Old", value: "2" },
        { kind: "add", name: "X-New", value: "3" },
      ],
    }),
    request: [GET, HOST],
    gets: ["X-Old: 2", "X-New: 3", "Content-Length: 2"],
    getsNot: [/server:/i, /X-Old: 1/],
  },
  {
    name: "response fields with variables of the request",
    route: route("/a/:id", { responseFields: [{ kind: "set", name: "X-For", value: "$id $path $host" }] }),
    request: ["GET /a/9?q HTTP/1.1", HOST],
    gets: ["X-For: 9 /a/9 h.example"],
  },
  {
    name: "a long value needs a larger buffer",
    route: route("/a/*rest", {
      requestFields: [{ kind: "set", name: "X-Rest", value: "$rest" }],
      responseFields: [{ kind: "set", name: "X-Rest", value: "$rest" }],
      rewrite: { kind: "template", text: "/$rest/$rest" },
    }),
    request: [`GET /a/${"z".repeat(3500)} HTTP/1.1`, HOST],
    target: `/${"z".repeat(3500)}/${"z".repeat(3500)}`,
    sees: [`X-Rest: ${"z".repeat(3500)}`],
    gets: [`X-Rest: ${"z".repeat(3500)}`],
  },
];

for (const { name, request, target, sees = [], seesNot = [], gets = [], getsNot = [], ...row } of EDITED) {
  onEachEngine(`routes: ${name}`, { routing: routing(row.route) }, async (stage) => {
    const { seen, got } = await exchange(stage, 0, request);
    const [method] = request[0]!.split(" ");
    if (target !== undefined) assert.equal(seen.split("\r\n")[0], `${method} ${target} HTTP/1.1`);
    for (const line of sees) assert.ok(seen.includes(`\r\n${line}\r\n`), `${line} in ${seen}`);
    for (const pattern of seesNot) assert.doesNotMatch(seen, pattern);
    for (const line of gets) assert.ok(got.includes(`\r\n${line}\r\n`), `${line} in ${got}`);
    for (const pattern of getsNot) assert.doesNotMatch(got, pattern);
  });
}

onEachEngine(
  "routes: the request id that the backend gets is known to edits",
  {
    policy: { requestId: "generate" },
    routing: routing(
      route("", {
        requestFields: [
          { kind: "remove", name: "Accept", value: "" },
          { kind: "add", name: "X-Trace", value: "t-$request_id" },
        ],
        responseFields: [{ kind: "set", name: "X-Request-Id", value: "$request_id" }],
      }),
    ),
  },
  async (stage) => {
    const { seen, got } = await exchange(stage, 0, [GET, HOST, "Accept: x"]);
    const id = /\r\nX-Request-Id: (\w{32})\r\n/.exec(seen)?.[1];
    assert.ok(id !== undefined && seen.includes(`\r\nX-Trace: t-${id}\r\n`), seen);
    assert.ok(got.includes(`\r\nX-Request-Id: ${id}\r\n`), got);
  },
);

onEachEngine(
  "routes: a rewritten request takes its body along, small and in pieces",
  {
    routing: routing(
      route("prefix /a", { rewrite: { kind: "prefix", from: "/a", to: "/longer/than/before" } }),
    ),
  },
  async (stage) => {
    const client = stage.client();
    client.write(`${text(["POST /a/x HTTP/1.1", HOST, "Content-Length: 5"])}12345`);
    const backend = await stage.backend.next();
    const small = await backend.message();
    assert.match(small.head, /^POST \/longer\/than\/before\/x HTTP/);
    assert.equal(small.body, "12345");
    backend.write(OK);
    await client.message();
    client.write(text(["POST /a HTTP/1.1", HOST, "Content-Length: 6"]));
    await backend.head();
    client.write("abcdef");
    assert.equal((await backend.bytes(6)).toString(), "abcdef");
    backend.write(OK);
    await client.message();
  },
);

onEachEngine(
  "routes: a WebSocket takes its route, rewritten and with fields",
  {
    routing: routing(
      route("/ws/:room", {
        rewrite: { kind: "template", text: "/rooms/$room" },
        requestFields: [{ kind: "set", name: "X-Room", value: "$room" }],
        responseFields: [{ kind: "set", name: "X-Room", value: "$room" }],
      }),
    ),
  },
  async (stage) => {
    const client = stage.client();
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
    client.write(text(["GET /ws/7 HTTP/1.1", HOST, ...upgrade]));
    const backend = await stage.backend.next();
    const seen = await backend.head();
    assert.match(seen, /^GET \/rooms\/7 HTTP/);
    assert.match(seen, /\r\nX-Room: 7\r\n/);
    backend.write(text(["HTTP/1.1 101 Switching Protocols", ...upgrade]));
    assert.match(await client.head(), /^HTTP\/1.1 101 /);
    client.write("ping");
    assert.equal((await backend.bytes(4)).toString(), "ping");
    backend.write("pong");
    assert.equal((await client.bytes(4)).toString(), "pong");
  },
);

onEachEngine(
  "routes: a request that is repeated goes out as it was rewritten",
  { routing: routing(route("prefix /a", { rewrite: { kind: "prefix", from: "/a", to: "/b" } })) },
  async (stage) => {
    await exchange(stage, 0, ["GET /a/1 HTTP/1.1", HOST]);
    const client = stage.client();
    client.write(text(["GET /a/2 HTTP/1.1", HOST]));
    const [idle] = stage.backend.peers;
    await idle!.head();
    idle!.reset();
    const fresh = await stage.backend.when("a second connection", () => stage.backend.peers[1]);
    assert.match(await fresh.head(), /^GET \/b\/2 HTTP/);
    fresh.write(OK);
    await client.message();
  },
);

onEachEngine(
  "routes: clusters are chosen by weight",
  {
    backends: 2,
    routing: routing(
      route("", {
        action: {
          kind: "forward",
          targets: [
            { cluster: 0, weight: 3 },
            { cluster: 1, weight: 1 },
          ],
        },
      }),
    ),
  },
  async (stage) => {
    const counts = [0, 0];
    for (const [index, backend] of stage.backends.entries()) {
      backend.onPeer = (peer) => {
        peer.onBytes = () => {
          counts[index]!++;
          peer.write(OK);
        };
      };
    }
    const client = stage.client();
    for (let i = 0; i < 8; i++) {
      client.write(text([GET, HOST]));
      await client.message();
    }
    assert.deepEqual(counts, [6, 2]);
  },
);

onEachEngine(
  "routes: a route has its own timeouts, body limit and error pages",
  {
    backends: 1,
    limits: { requestBodyBytesMax: 2 },
    routing: routing(
      route("/slow", {
        timeouts: { ...DEFAULT_TIMEOUTS, responseHeadMs: 30 },
        errorPages: [{ status: 504, contentType: "text/plain", body: "late" }],
      }),
      route("/deadline", { timeouts: { ...DEFAULT_TIMEOUTS, requestMs: 40 } }),
      route("/large", { requestBodyBytesMax: 5 }),
      route("/small"),
    ),
  },
  async (stage) => {
    const client = stage.client();
    client.write(text(["GET /slow HTTP/1.1", HOST]));
    const late = await client.message();
    assert.match(late.head, /^HTTP\/1.1 504 /);
    assert.equal(late.body, "late");
    client.write(text(["GET /deadline HTTP/1.1", HOST]));
    assert.match((await client.message()).head, /^HTTP\/1.1 504 /);
    assert.deepEqual(stage.reasons, ["response_timeout", "request_deadline"]);
    stage.backend.onPeer = (peer) => {
      peer.onBytes = () => peer.write(OK);
    };
    const fits = stage.client();
    fits.write(`${text(["POST /large HTTP/1.1", HOST, "Content-Length: 5"])}12345`);
    assert.match((await fits.message()).head, /^HTTP\/1.1 200 /);
    for (const [path, length] of [
      ["/large", 6],
      ["/small", 3],
    ] as const) {
      const refused = stage.client();
      refused.write(text([`POST ${path} HTTP/1.1`, HOST, `Content-Length: ${length}`]));
      assert.match(await refused.rest(), /^HTTP\/1.1 413 /);
    }
  },
);

onEachEngine(
  "routes: a new snapshot brings new routes, and takes them away",
  { backends: 2, routing: routing(route("", { action: to(0) })) },
  async (stage) => {
    await exchange(stage, 0, [GET, HOST]);
    stage.replace({ routing: routing(route("", { action: to(1) })) });
    await exchange(stage, 1, [GET, HOST]);
    const { routing: _gone, ...without } = stage.snapshot;
    stage.snapshot = without;
    stage.replace({});
    const client = stage.client();
    client.write(text([GET, HOST]));
    // The connection of the first request is idle.
    const [backend] = stage.backend.peers;
    await backend!.head();
    backend!.write(OK);
    await client.message();
  },
);

/** Nine times the target is more than a buffer holds. */
const LONG_GET = `GET /${"a".repeat(8000)} HTTP/1.1`;
const NINE_TARGETS = "$target".repeat(9);
const TOO_LARGE = [
  { name: "fields of the request", requestFields: [{ kind: "set", name: "X", value: NINE_TARGETS }] },
  { name: "fields of the response", responseFields: [{ kind: "set", name: "X", value: NINE_TARGETS }] },
  { name: "a target", rewrite: { kind: "template", text: `/${NINE_TARGETS}` } },
] as const;

for (const { name, ...changes } of TOO_LARGE) {
  onEachEngine(
    `routes: ${name} that would be too large: 431`,
    { routing: routing(route("", { action: to(0), ...changes })) },
    async (stage) => {
      const client = stage.client();
      client.write(text([LONG_GET, HOST]));
      const { head } = await client.message();
      assert.match(head, /^HTTP\/1\.1 431 /);
      assert.match(
        head,
        /\r\nProxy-Status: test; error=http_request_error; details="edited_head_too_large"\r\n/,
      );
      assert.equal(await client.rest(), "");
      assert.deepEqual(stage.reasons, ["edited_head_too_large"]);
      assert.equal(stage.counter(Counter.errorHeadTooLarge), 1);
      assert.equal(stage.backend.peers.length, 0);
    },
  );
}

onEachEngine(
  "routes: a response head that is too large with its route's fields: 502",
  {
    routing: routing(
      route("", { action: to(0), responseFields: [{ kind: "set", name: "X", value: "$target".repeat(4) }] }),
    ),
    limits: { headBytesMax: 60_000 },
  },
  async (stage) => {
    const client = stage.client();
    client.write(text([LONG_GET, HOST]));
    const origin = await stage.backend.next();
    await origin.head();
    origin.write(text(["HTTP/1.1 200 OK", `Y: ${"b".repeat(50_000)}`, "Content-Length: 0"]));
    assert.match(
      (await client.message()).head,
      /^HTTP\/1\.1 502 [\s\S]*; details="edited_response_too_large"\r\n/,
    );
    assert.deepEqual(stage.reasons, ["edited_response_too_large"]);
    assert.equal(stage.counter(Counter.errorBadResponse), 1);
  },
);

for (const [retries, attempts] of [
  [undefined, 4],
  [0, 1],
  [1, 2],
  [6, 7],
] as const) {
  const changes = retries === undefined ? {} : { retries };
  onEachEngine(
    `routes: ${retries ?? "no word of"} retries: ${attempts} attempts`,
    { routing: routing(route("", changes)) },
    async (stage) => {
      stage.backend.onPeer = (peer) => {
        peer.onBytes = () => peer.reset();
      };
      const client = stage.client();
      client.write(text([GET, HOST]));
      assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
      assert.equal(stage.backend.peers.length, attempts);
      assert.equal(stage.counter(Counter.retries), attempts - 1);
    },
  );
}
