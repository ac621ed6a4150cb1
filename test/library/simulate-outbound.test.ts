/** What the proxy asks by itself stays in the simulation: `forwardAuth` and `mirror` reach upstreams, nobody else. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../../src/index.ts";
import { type SimulationOptions, simulate } from "../../src/testing.ts";

const timeout = 30_000;
type Upstreams = NonNullable<SimulationOptions["upstreams"]>;
const app = { backends: ["app:3000"], health: { kind: "off" } } as const;
const asking = (url: string): Config => ({ ...app, forwardAuth: { url, responseHeaders: ["x-user"] } });

const VERDICTS: readonly {
  readonly name: string;
  readonly url?: string;
  readonly place?: string;
  readonly answer: Upstreams[string];
  readonly status: number;
  readonly body: string;
  readonly user?: string;
  readonly afterMs?: number;
}[] = [
  {
    name: "yes",
    answer: () => ({ status: 204, headers: { "x-user": "ann" } }),
    status: 200,
    body: "app:3000",
    user: "ann",
  },
  { name: "no", answer: () => ({ status: 401, body: "who?" }), status: 401, body: "who?" },
  {
    name: "no, in chunks",
    answer: () => ({ status: 403, body: ["a".repeat(5_000), "b"], pause: "1s" }),
    status: 403,
    body: `${"a".repeat(5_000)}b`,
    afterMs: 1_000,
  },
  {
    name: "a promise that takes real time",
    answer: async () => {
      await delay(5);
      return { headers: { "x-user": "bob" } };
    },
    status: 200,
    body: "app:3000",
    user: "bob",
  },
  {
    name: "late by the clock",
    answer: () => ({ delay: "1s" }),
    status: 200,
    body: "app:3000",
    afterMs: 1_000,
  },
  {
    name: "https, without its TLS",
    url: "https://auth/check",
    place: "auth:443",
    answer: () => ({ status: 204 }),
    status: 200,
    body: "app:3000",
  },
  { name: "a reset", answer: () => "reset", status: 500, body: "" },
  { name: "never", answer: () => "hang", status: 500, body: "", afterMs: 2_000 },
];

for (const { name, url = "http://auth:9000/check", place = "auth:9000", answer, ...wanted } of VERDICTS) {
  test(`forwardAuth asks an upstream: ${name}`, { timeout }, async () => {
    const runs: string[] = [];
    for (let i = 0; i < 2; i++) {
      const proxy = await simulate(asking(url), { upstreams: { [place]: answer } });
      const response = await proxy.fetch("http://site/a?b", { headers: { cookie: "c=1" } });
      const { status, afterMs = 0 } = wanted;
      assert.equal(response.status, status);
      if (wanted.body !== "") assert.equal(await response.text(), wanted.body);
      assert.ok(proxy.nowMs >= afterMs && proxy.nowMs < afterMs + 50, `after ${proxy.nowMs} ms`);
      const [asked] = proxy.upstream(place).requests;
      assert.deepEqual([asked?.target, asked?.headers.get("x-forwarded-uri")], ["/check", "/a?b"]);
      assert.equal(asked?.headers.get("cookie"), "c=1");
      const got = proxy.upstream("app:3000").requests;
      assert.equal(got.length, status === 200 ? 1 : 0);
      assert.equal(got[0]?.headers.get("x-user") ?? undefined, wanted.user);
      runs.push(proxy.trace.join("\n"));
    }
    assert.equal(runs[1], runs[0], "the same run again");
  });
}

test("forwardAuth: one connection serves many, and one that is down lets nobody pass", {
  timeout,
}, async () => {
  const proxy = await simulate(asking("http://auth:9000/"), { upstreams: { "auth:9000": () => ({}) } });
  for (let i = 0; i < 3; i++) assert.equal((await proxy.fetch("http://site/")).status, 200);
  const auth = proxy.upstream("auth:9000");
  assert.deepEqual([auth.requests.length, auth.connectionsEver], [3, 1]);
  auth.down();
  assert.equal((await proxy.fetch("http://site/")).status, 500);
  assert.match(proxy.log[0]?.message ?? "", /ECONNRE/);
  auth.up();
  assert.equal((await proxy.fetch("http://site/")).status, 200);
});

test("forwardAuth: a server that nobody plays is refused, at the start and by a reload", {
  timeout,
}, async () => {
  const server = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    let count = 0;
    server.on("connection", () => count++);
    const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const refused = {
      name: "ProxyError",
      code: "wrong-option",
      message: new RegExp(`upstreams: {"${place}"`),
    };
    await assert.rejects(simulate(asking(`http://${place}/`)), refused);
    const proxy = await simulate(app);
    await assert.rejects(proxy.reload(asking(`http://${place}/`)), refused);
    assert.equal((await proxy.fetch("http://site/")).status, 200, "the old configuration goes on");
    const played = await simulate(asking(`http://${place}/`), { upstreams: { [place]: () => ({}) } });
    assert.equal((await played.fetch("http://site/")).status, 200);
    assert.equal(count, 0, "nothing left the simulation");
  } finally {
    server.close();
  }
});

const MIRRORED: Config = {
  clusters: {
    app: { backends: ["app:3000"] },
    next: { backends: ["next:1", "unix:/run/next.sock"] },
  },
  routes: [{ to: "app", mirror: { to: "next" } }],
} as Config;

test("copies go to the upstreams of the other cluster", { timeout }, async () => {
  const runs: string[] = [];
  for (let i = 0; i < 2; i++) {
    const proxy = await simulate(MIRRORED, { upstreams: { next: () => ({ delay: "2s" }) } });
    const body = "x".repeat(30_000);
    assert.equal(await (await proxy.fetch("http://site/a")).text(), "app:3000");
    await proxy.fetch("http://site/b", { method: "POST", body });
    await proxy.fetch("http://site/c", { method: "POST", body: "short" });
    assert.ok(proxy.nowMs < 100, "nobody waits for a copy");
    await proxy.advance("5s");
    const first = proxy.upstream("next:1").requests;
    const second = proxy.upstream("unix:/run/next.sock").requests;
    assert.deepEqual(
      first.map(({ path }) => path),
      ["/a", "/c"],
    );
    assert.equal(second[0]?.text(), body);
    assert.equal(second[0]?.headers.get("x-mirrored"), "1");
    assert.equal(proxy.stats().mirrors.sent, 3);
    runs.push(proxy.trace.join("\n"));
  }
  assert.equal(runs[1], runs[0], "the same run again");
});

test("a copy that is not answered is given up by the clock", { timeout }, async () => {
  const proxy = await simulate(MIRRORED, { upstreams: { next: () => "hang" } });
  await proxy.fetch("http://site/");
  await proxy.advance("9s");
  assert.equal(proxy.stats().mirrors.failed, 0);
  await proxy.advance("2s");
  assert.equal(proxy.stats().mirrors.failed, 1);
});
