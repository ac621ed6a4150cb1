/** Rate limits and requests in flight of a route, over real connections. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import type { RateLimit, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/** Slow enough that no token comes while a test runs. */
const LIMIT: RateLimit = {
  name: "all",
  count: 2,
  periodMs: 7_200_000,
  burst: 2,
  key: { kind: "client" },
  status: 429,
};

const get = (path: string, ...fields: string[]) =>
  `${[`GET ${path} HTTP/1.1`, "Host: h", ...fields].join("\r\n")}\r\n\r\n`;

function serve(stage: Stage): void {
  stage.backend.onPeer = (peer) => {
    peer.onBytes = () => peer.write(OK);
  };
}

const SHARED: Routing = {
  routes: [
    route("", { rateLimit: 0 }),
    route("/free"),
    route("/own", { rateLimit: 1 }),
    route("/here", { rateLimit: 2, action: { kind: "redirect", status: 302, location: "/" } }),
  ],
  rateLimits: [
    LIMIT,
    { ...LIMIT, name: "own", key: { kind: "field", name: "x-key" }, burst: 1, status: 503 },
    { ...LIMIT, name: "here", key: { kind: "all" }, burst: 1 },
  ],
};

onEachEngine(
  "rate limit: requests beyond it are told when to come again",
  { routing: SHARED },
  async (stage) => {
    serve(stage);
    const client = stage.client();
    const ask = async (path: string, ...fields: string[]) => {
      client.write(get(path, ...fields));
      return await client.message();
    };
    const statusOf = async (path: string, ...fields: string[]) =>
      Number((await ask(path, ...fields)).head.split(" ")[1]);
    assert.deepEqual([await statusOf("/a"), await statusOf("/b")], [200, 200]);
    const { head, body } = await ask("/a", "Accept: application/json");
    assert.match(head, /^HTTP\/1.1 429 Too Many Requests\r\n/);
    assert.match(head, /\r\nRetry-After: (3600|3599)\r\n/);
    assert.match(head, /\r\nProxy-Status: test; error=http_request_denied; details="rate_limited"\r\n/);
    assert.equal(JSON.parse(body).error, "rate_limited");
    assert.doesNotMatch((await ask("/a")).head, /Retry-After.*Retry-After/s);
    // Others are not held back, nor told to come again.
    assert.equal(await statusOf("/free"), 200);
    assert.equal(await statusOf("/own", "X-Key: a"), 200);
    const own = await ask("/own", "X-Key: a");
    assert.match(own.head, /^HTTP\/1.1 503 /);
    assert.equal(own.head.match(/Retry-After/g)?.length, 1);
    assert.equal(await statusOf("/own", "X-Key: b"), 200);
    assert.deepEqual([await statusOf("/here"), await statusOf("/here")], [302, 429]);
    assert.equal(stage.counter(Counter.errorRateLimited), 4);
    assert.equal(new Set(stage.reasons).size, 1);
    assert.equal(stage.backend.peers.length, 1, "what is refused asks no backend");
  },
);

onEachEngine(
  "rate limit: requests without a route count, too",
  { routing: { routes: [], rateLimits: [LIMIT], unroutedRateLimit: 0 } },
  async (stage) => {
    const client = stage.client();
    const statuses: string[] = [];
    for (let i = 0; i < 3; i++) {
      client.write(get("/"));
      statuses.push((await client.message()).head.split(" ")[1]!);
    }
    assert.deepEqual(statuses, ["404", "404", "429"]);
  },
);

onEachEngine(
  "rate limit: a reload that leaves it alone forgets nothing",
  { routing: SHARED },
  async (stage) => {
    serve(stage);
    const client = stage.client();
    const statusOf = async (path: string) => {
      client.write(get(path));
      return (await client.message()).head.split(" ")[1];
    };
    assert.deepEqual(
      [await statusOf("/a"), await statusOf("/a"), await statusOf("/a")],
      ["200", "200", "429"],
    );
    stage.replace({ routing: { ...SHARED, routes: [route("/new"), ...SHARED.routes] } });
    assert.equal(await statusOf("/a"), "429");
    assert.equal(await statusOf("/new"), "200");
    const slower = { ...LIMIT, burst: 1 };
    stage.replace({ routing: { ...SHARED, rateLimits: [slower, ...SHARED.rateLimits!.slice(1)] } });
    assert.deepEqual(
      [await statusOf("/a"), await statusOf("/a")],
      ["200", "429"],
      "another limit begins anew",
    );
  },
);

onEachEngine(
  "rate limit: the page of its status is shown",
  {
    routing: { routes: [route("", { rateLimit: 0 })], rateLimits: [{ ...LIMIT, burst: 1 }] },
    errorPages: [{ status: 429, contentType: "text/html", body: "<p>slowly" }],
  },
  async (stage) => {
    serve(stage);
    const client = stage.client();
    client.write(get("/"));
    await client.message();
    client.write(get("/"));
    const { head, body } = await client.message();
    assert.match(head, /\r\nRetry-After: 3[56]\d\d\r\n/);
    assert.equal(body, "<p>slowly");
  },
);

onEachEngine(
  "requests in flight of a route: one more is turned away, until one is over",
  { routing: { routes: [route("/slow", { requestsInFlightMax: 1 }), route("/other")] } },
  async (stage) => {
    const [first, second] = [stage.client(), stage.client()];
    first.write(get("/slow"));
    const backend = await stage.backend.next();
    await backend.head();
    second.write(get("/slow"));
    const { head } = await second.message();
    assert.match(head, /^HTTP\/1.1 503 .*details="route_too_many_in_flight"/s);
    backend.write(OK);
    await first.message();
    stage.backend.onPeer = (peer) => {
      peer.onBytes = () => peer.write(OK);
    };
    backend.onBytes = () => backend.write(OK);
    second.write(get("/slow"));
    assert.match((await second.message()).head, /^HTTP\/1.1 200 /);
    assert.deepEqual(stage.reasons, ["route_too_many_in_flight"]);
    assert.equal(stage.counter(Counter.errorTooManyInFlight), 1);
  },
);
