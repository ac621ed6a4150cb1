/** What a client is told when something fails, and what the log and the figures say of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats-report.ts";
import { startOrigin } from "./origin.ts";
import { ProxyProcess, runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 30_000;
const NO_CHECKS = ["--workers", "1", "--health", "off"];

test("a backend that refuses: the client, the log and the figures agree", { timeout }, async (t) => {
  const XDG_RUNTIME_DIR = temporaryFolder(t);
  const argv = [...NO_CHECKS, "--via-name", "front"];
  const proxy = await ProxyProcess.start(t, ["127.0.0.1:1"], argv, { XDG_RUNTIME_DIR });
  const response = await fetch(`${proxy.url}/x?y`, { headers: { accept: "application/json" } });
  assert.equal(response.status, 502);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(
    response.headers.get("proxy-status"),
    'front; error=connection_refused; details="connect_refused"',
  );
  assert.deepEqual(await response.json(), {
    status: 502,
    error: "connect_refused",
    message: "The backend refused the connection.",
  });
  const record = await proxy.log(({ reason }) => reason === "connect_refused");
  const { by, phase, status, client, endpoint, request, msg, level } = record;
  assert.deepEqual(
    { by, phase, status, client, endpoint, request, level },
    {
      by: "origin",
      phase: "connect",
      status: 502,
      client: "127.0.0.1",
      endpoint: "127.0.0.1:1",
      request: "GET /x?y",
      level: 40,
    },
  );
  assert.equal(
    msg,
    "client 127.0.0.1 got 502 before a backend was connected (GET /x?y, backend 127.0.0.1:1). " +
      "The backend refused the connection.",
  );
  const { stdout } = await runToEnd(t, ["stats", "--json"], { XDG_RUNTIME_DIR });
  const { total } = JSON.parse(stdout) as StatsReport;
  assert.equal(total.errors.connect_refused, 1);
  assert.equal(total.responses["5xx"], 1);
});

test("a client that leaves its response is told of in words", { timeout }, async (t) => {
  const origin = await startOrigin(t, (_request, response) => void response.write("half"));
  const proxy = await ProxyProcess.start(t, [origin.address], NO_CHECKS);
  const client = connect(proxy.port, "127.0.0.1");
  client.write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(client, "data");
  client.resetAndDestroy();
  const { msg, level } = await proxy.log(({ reason }) => reason === "client_gone");
  assert.equal(level, 30);
  assert.equal(
    msg,
    `client 127.0.0.1 left while the response was on its way (GET /slow, backend ${origin.address})`,
  );
});

test("behind a trusted proxy the log names the client and the proxy", { timeout }, async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === "/slow") response.write("half");
    else response.destroy();
  });
  const file = path.join(temporaryFolder(t), "hp-proxy.config.json");
  const policy = { trustedProxies: ["127.0.0.0/8"] };
  // What a backend is not to see is known here all the same.
  const requestHeaders = { remove: ["X-Forwarded-For"] };
  const routes = [{ prefix: "/app", requestHeaders }, { prefix: "/slow" }];
  const backends = [origin.address];
  const health = { kind: "off" };
  writeFileSync(
    file,
    JSON.stringify({ listen: "127.0.0.1:0", workers: 1, backends, health, policy, routes }),
  );
  const proxy = new ProxyProcess(t, ["run", "-c", file, "--log-format", "json"], {}, path.dirname(file));
  await proxy.log(({ msg }) => msg.startsWith("listening on "));
  const ask = (target: string, forwardedFor: string) =>
    fetch(`${proxy.url}${target}`, { method: "POST", headers: { "x-forwarded-for": forwardedFor } });

  await (await ask("/app", "192.0.2.66, 203.0.113.7, 127.0.0.9")).text();
  const failed = await proxy.log(({ reason }) => reason === "origin_reset");
  assert.deepEqual([failed.client, failed.peer], ["203.0.113.7", "127.0.0.1"]);
  assert.match(failed.msg, /^client 203\.0\.113\.7 through 127\.0\.0\.1 got 502 /);

  await (await ask("/none", "[2001:db8::7]:80")).text();
  const unrouted = await proxy.log(({ reason }) => reason === "no_route");
  assert.deepEqual([unrouted.client, unrouted.peer], ["2001:db8::7", "127.0.0.1"]);

  const leaving = connect(proxy.port, "127.0.0.1");
  leaving.write("GET /slow HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n");
  await once(leaving, "data");
  leaving.resetAndDestroy();
  const left = await proxy.log(({ reason }) => reason === "client_gone");
  assert.deepEqual([left.client, left.peer], ["198.51.100.9", "127.0.0.1"]);

  const broken = connect(proxy.port, "127.0.0.1");
  broken.write("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.66\r\nno colon\r\n\r\n");
  await once(broken, "data");
  broken.destroy();
  const refused = await proxy.log(({ status }) => status === 400);
  assert.deepEqual([refused.client, refused.peer], ["", "127.0.0.1"]);
  assert.match(refused.msg, /^a client through 127\.0\.0\.1 got 400 /);
});

test("a flood of failures is few lines, and a count", { timeout }, async (t) => {
  const proxy = await ProxyProcess.start(t, ["127.0.0.1:1"], NO_CHECKS);
  for (let i = 0; i < 14; i++) await (await fetch(proxy.url)).text();
  const { count, msg } = await proxy.log(({ msg }) => msg.includes("not told one by one"));
  assert.equal(count, 4);
  assert.equal(msg, "4 more requests failed with connect_refused, not told one by one");
  assert.equal(proxy.logs.filter(({ phase }) => phase === "connect").length, 10);
});
