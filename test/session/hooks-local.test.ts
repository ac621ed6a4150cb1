/** Hooks of requests that no backend answers: of routes that answer or redirect, and of those that are refused. */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import { parseNetwork } from "../../src/base/ip-address.ts";
import { Counter } from "../../src/contract/counters.ts";
import { HeadOf, type Intercepted, Moment } from "../../src/contract/interception.ts";
import type { Cors, RateLimit, Route, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import {
  answerWith,
  heldAt,
  requestHead,
  responseHead,
  type ScriptedChain,
  ScriptedStage,
  setField,
  withChain,
} from "./scripted-chain.ts";
import type { Stage } from "./stage.ts";

const CORS: Cors = {
  origins: ["https://a.example"],
  methods: ["GET"],
  headers: null,
  credentials: true,
  maxAgeS: 60,
  exposedHeaders: [],
};
const LIMIT: RateLimit = {
  name: "few",
  count: 1,
  periodMs: 3_600_000,
  burst: 1,
  key: { kind: "all" },
  status: 429,
};
const hooked = (path: string, changes: Partial<Route> = {}) => route(path, { chain: 0, ...changes });
const respond = (body: string, status = 200): Partial<Route> => ({
  action: { kind: "respond", answer: { status, fields: [{ name: "X-Own", value: "yes" }], body } },
});
const ROUTING: Routing = {
  routes: [
    hooked("/here", respond("here\n")),
    hooked("/long", respond("l".repeat(9000))),
    hooked("/empty", respond("", 204)),
    hooked("/old/:id", { action: { kind: "redirect", status: 301, location: "//$host/new/$id?$method" } }),
    hooked("/denied", { ...respond("secret"), deny: [parseNetwork("127.0.0.0/8")!] }),
    hooked("/few", { ...respond("few"), rateLimit: 0 }),
    hooked("/cors", { ...respond("cors"), cors: CORS }),
    hooked("/small", { requestBodyBytesMax: 4 }),
    hooked("/here-small", { ...respond("small"), requestBodyBytesMax: 4 }),
    hooked("/full", { requestsInFlightMax: 1 }),
    route("/unasked", respond("unasked")),
  ],
  rateLimits: [LIMIT],
  unroutedChain: 0,
};

const get = (path: string, ...fields: string[]) =>
  `${[`GET ${path} HTTP/1.1`, "Host: h", ...fields].join("\r\n")}\r\n\r\n`;

type Run = (stage: Stage, chain: ScriptedChain) => Promise<void>;

function local(name: string, run: Run, options: { moments?: number; routing?: Routing } = {}): void {
  withChain(`local: ${name}`, { routing: ROUTING, ...options }, run);
}

/** The chain's last word on the exchanges so far, and nothing in flight. */
async function logged(stage: Stage, chain: ScriptedChain, count = 1): Promise<void> {
  await stage.when("all is logged", () => {
    const all = chain.told.filter((each) => each.startsWith("log")).length === count;
    return (all && stage.counter(Counter.requestsInFlight) === 0) || undefined;
  });
}

async function noBackend(
  stage: Stage,
  path: string,
  ...fields: string[]
): Promise<{ head: string; body: string }> {
  const client = stage.client();
  client.write(get(path, ...fields));
  const message = await client.message();
  client.close();
  assert.equal(stage.backend.peers.length, 0);
  return message;
}

const TOLD: readonly {
  readonly path: string;
  readonly status: number;
  readonly body: string;
  readonly told: readonly string[];
  readonly fields?: readonly string[];
  readonly gets?: RegExp;
}[] = [
  {
    path: "/here",
    status: 200,
    body: "here\n",
    told: ["request", "response", "log 200"],
    gets: /X-Own: yes/,
  },
  { path: "/long", status: 200, body: "l".repeat(9000), told: ["request", "response", "log 200"] },
  { path: "/empty", status: 204, body: "", told: ["request", "response", "log 204"] },
  {
    path: "/old/7",
    status: 301,
    body: "",
    told: ["request", "response", "log 301"],
    gets: /\r\nLocation: \/\/h\/new\/7\?GET\r\n/,
  },
  { path: "/none", status: 404, body: "", told: ["request", "error", "log 404 no_route"] },
  { path: "/denied", status: 403, body: "", told: ["error", "log 403 client_denied"] },
  {
    path: "/cors",
    status: 200,
    body: "cors",
    told: ["request", "response", "log 200"],
    fields: ["Origin: https://a.example"],
    gets: /Access-Control-Allow-Origin: https:\/\/a\.example\r\n/,
  },
  {
    path: "/small",
    status: 413,
    body: "",
    told: ["error", "log 413 request_body_too_large"],
    fields: ["Content-Length: 5"],
  },
];

for (const { path, status, body, told, fields = [], gets = /./ } of TOLD) {
  local(`GET ${path} is told`, async (stage, chain) => {
    const records: unknown[] = [];
    chain.onLog = (e) =>
      records.push(e.cluster, e.endpoint, e.attempts, e.responseBodyBytes, e.clientAddress());
    const got = await noBackend(stage, path, ...fields);
    await logged(stage, chain);
    assert.equal(got.head.split(" ")[1], String(status));
    assert.match(got.head, gets);
    if (status < 400) assert.equal(got.body, body);
    assert.deepEqual(chain.told, told);
    assert.deepEqual(records, ["", "", 0, body.length, "127.0.0.1"]);
    assert.equal(
      stage.counter(Counter.responses2xx) + stage.counter(Counter.responses3xx),
      status < 400 ? 1 : 0,
    );
  });
}

local("a preflight needs no say of a hook", async (stage, chain) => {
  chain.onRequest = (e) => answerWith(e, 401, "no");
  const client = stage.client();
  const asks = "Access-Control-Request-Method: GET";
  client.write(`OPTIONS /cors HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n${asks}\r\n\r\n`);
  const { head } = await client.message();
  assert.match(head, /^HTTP\/1\.1 204 /);
  assert.match(head, /Access-Control-Max-Age: 60/);
  client.write(get("/cors", "Origin: https://a.example"));
  assert.match(
    (await client.message()).head,
    /^HTTP\/1\.1 401 [\s\S]*Allow-Origin: https:\/\/a\.example\r\n/,
  );
  await logged(stage, chain, 2);
  assert.deepEqual(chain.told, ["log 204", "request", "log 401"]);
});

local("what a hook answers comes in place of what the route says", async (stage, chain) => {
  chain.onRequest = (e) => answerWith(e, 401, "who?", "X-Hook: 1\r\n");
  const client = stage.client();
  for (const path of ["/here", "/old/1", "/none"]) {
    client.write(get(path));
    const { head, body } = await client.message();
    assert.match(head, /^HTTP\/1\.1 401 [\s\S]*X-Hook: 1/);
    assert.doesNotMatch(head, /X-Own|Location/);
    assert.equal(body, "who?");
  }
  await logged(stage, chain, 3);
  assert.deepEqual(stage.reasons, []);
});

local("held: the answer is what was decided when the request came", async (stage, chain) => {
  const client = stage.client();
  const held = heldAt(stage, chain, "onRequest");
  client.write(get("/old/7"));
  const exchange = await held;
  assert.match(requestHead(exchange), /^GET \/old\/7 HTTP\/1\.1\r\n/);
  // Others come and go meanwhile, and the configuration too.
  await noBackend(stage, "/here");
  stage.replace({ routing: { routes: [route("/old/:id", respond("new"))] } });
  await noBackend(stage, "/old/9");
  exchange.proceed();
  assert.match((await client.message()).head, /^HTTP\/1\.1 301 [\s\S]*Location: \/\/h\/new\/7\?GET\r\n/);
  // The connection goes on.
  client.write(get("/old/7"));
  assert.equal((await client.message()).body, "new");
});

local("held, and then refused or failed", async (stage, chain) => {
  const client = stage.client();
  let held = heldAt(stage, chain, "onRequest");
  client.write(get("/here"));
  answerWith(await held, 403, "no");
  assert.equal((await client.message()).body, "no");
  held = heldAt(stage, chain, "onRequest");
  client.write(get("/none"));
  (await held).fail("hook_late");
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
  held = heldAt(stage, chain, "onError");
  client.write(get("/none"));
  answerWith(await held, 200, "something");
  assert.equal((await client.message()).body, "something");
  assert.deepEqual(stage.reasons, ["hook_late", "no_route"]);
});

local("a client that leaves while its request is held", async (stage, chain) => {
  const client = stage.client();
  const held = heldAt(stage, chain, "onRequest");
  client.write(get("/here"));
  const exchange = await held;
  client.reset();
  await logged(stage, chain);
  exchange.proceed();
  assert.deepEqual(chain.told, ["request", "log 0 client_gone"]);
});

local("the head of an answer is edited, at once and held", async (stage, chain) => {
  const edit = (e: Intercepted) => {
    assert.match(responseHead(e), /X-Own: yes\r\n[\s\S]*\r\n\r\n$/);
    assert.ok(e.hasResponseBody);
    assert.ok(setField(e, HeadOf.response, "x-large", "v".repeat(5000)));
    assert.ok(e.removeField(HeadOf.response, asciiBytes("x-own")));
    assert.ok(e.setStatus(202));
  };
  const check = ({ head, body }: { head: string; body: string }) => {
    assert.match(head, /^HTTP\/1\.1 202 [\s\S]*x-large: v{5000}\r\n/);
    assert.doesNotMatch(head, /X-Own/);
    assert.equal(body, "here\n");
  };
  const client = stage.client();
  chain.onResponse = edit;
  client.write(get("/here"));
  check(await client.message());
  const held = heldAt(stage, chain, "onResponse");
  client.write(get("/here"));
  const exchange = await held;
  edit(exchange);
  exchange.proceed();
  check(await client.message());
  chain.onResponse = (e) => answerWith(e, 500, "other");
  client.write(get("/long"));
  assert.equal((await client.message()).body, "other");
});

local("the body of an answer goes through a stage", async (stage, chain) => {
  for (const isHeld of [false, true]) {
    const scripted = new ScriptedStage();
    scripted.onEnd = () => {
      scripted.sink!.write(asciiBytes(scripted.text.toUpperCase()));
      scripted.sink!.end();
    };
    const begin = (e: Intercepted) => {
      scripted.sink = e.transform(HeadOf.response, scripted, true);
    };
    const client = stage.client();
    const held = isHeld ? heldAt(stage, chain, "onResponse") : null;
    if (held === null) chain.onResponse = begin;
    client.write(get("/long"));
    if (held !== null) {
      const exchange = await held;
      begin(exchange);
      exchange.proceed();
    }
    assert.equal((await client.message()).body, "L".repeat(9000));
    client.close();
  }
});

local("HEAD and HTTP/1.0", async (stage, chain) => {
  const client = stage.client();
  client.write("HEAD /here HTTP/1.1\r\nHost: h\r\n\r\n");
  const head = await client.head();
  assert.match(head, /Content-Length: 5\r\n/);
  client.write(get("/here"));
  assert.match(await client.head(), /^HTTP\/1\.1 200 /);
  const old = stage.client();
  old.write("GET /here HTTP/1.0\r\n\r\n");
  assert.match((await old.message()).head, /Connection: close\r\n/);
  await old.gone();
  assert.equal(chain.told.filter((each) => each === "response").length, 3);
});

local("a body that is not here ends the connection, one that is does not", async (stage, chain) => {
  const client = stage.client();
  client.write("POST /here HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  assert.doesNotMatch((await client.message()).head, /Connection/);
  client.write("POST /here HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
  assert.match((await client.message()).head, /Connection: close\r\n/);
  await client.gone();
  await logged(stage, chain, 2);
});

local("a hook reads the body of a request that its route answers", async (stage, chain) => {
  const scripted = new ScriptedStage();
  chain.onRequest = (e) => {
    scripted.sink = e.transform(HeadOf.request, scripted, true);
    scripted.onEnd = () => e.proceed();
    e.hold();
  };
  const client = stage.client();
  client.write("POST /here HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n");
  assert.match(await client.head(), /^HTTP\/1\.1 100 /);
  client.write("abcdef");
  assert.equal((await client.message()).body, "here\n");
  assert.equal(scripted.text, "abcdef");
  await logged(stage, chain);
  assert.equal(scripted.isAborted, true);
});

local("a hook sends what would be answered here to a backend", async (stage, chain) => {
  chain.onRequest = (e) => assert.ok(e.routeTo(0));
  stage.backend.onPeer = (peer) => {
    peer.onBytes = () => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napp");
  };
  const client = stage.client();
  for (const path of ["/here", "/none"]) {
    client.write(get(path));
    assert.equal((await client.message()).body, "app");
  }
  const held = heldAt(stage, chain, "onRequest");
  client.write(get("/old/1"));
  const exchange = await held;
  assert.ok(exchange.routeTo(0));
  exchange.proceed();
  assert.equal((await client.message()).body, "app");
  chain.onRequest = (e) => assert.ok(e.routeTo(0));
  client.write("POST /here-small HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
  assert.match((await client.message()).head, /^HTTP\/1\.1 413 /);
  await logged(stage, chain, 4);
});

local("Retry-After stands in a 429 that hooks were told of", async (stage, chain) => {
  const client = stage.client();
  client.write(get("/few"));
  await client.message();
  client.write(get("/few"));
  const { head } = await client.message();
  assert.match(head, /^HTTP\/1\.1 429 [\s\S]*\r\nRetry-After: 3600\r\n/);
  client.write(get("/here"));
  assert.doesNotMatch((await client.message()).head, /Retry-After/);
  await logged(stage, chain, 3);
  assert.deepEqual(chain.told.slice(3, 5), ["error", "log 429 rate_limited"]);
  assert.equal(stage.counter(Counter.errorRateLimited), 1);
});

local("requests that are refused do not count as in flight of their route", async (stage, chain) => {
  const client = stage.client();
  client.write(get("/full"));
  const backend = await stage.backend.next();
  await backend.head();
  const second = stage.client();
  second.write(get("/full"));
  assert.match((await second.message()).head, /^HTTP\/1\.1 503 [\s\S]*route_too_many_in_flight/);
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
  client.write(get("/full"));
  await backend.head();
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
  await logged(stage, chain, 3);
});

local("requests in one piece are answered in order", async (stage, chain) => {
  const client = stage.client();
  const held = heldAt(stage, chain, "onRequest");
  client.write(get("/here") + get("/none") + get("/unasked") + get("/old/3"));
  (await held).proceed();
  assert.equal((await client.message()).body, "here\n");
  assert.match((await client.message()).head, /^HTTP\/1\.1 404 /);
  assert.equal((await client.message()).body, "unasked");
  assert.match((await client.message()).head, /Location: \/\/h\/new\/3\?GET/);
  await logged(stage, chain, 3);
});

local(
  "moments that nobody asks for",
  async (stage, chain) => {
    const client = stage.client();
    for (const path of ["/here", "/none", "/denied"]) {
      client.write(get(path));
      await client.message();
    }
    assert.deepEqual(chain.told, ["request", "request"]);
  },
  { moments: Moment.request },
);
