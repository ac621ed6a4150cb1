/** What a client is told when something fails, and what the log and the figures say of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
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

test("a flood of failures is few lines, and a count", { timeout }, async (t) => {
  const proxy = await ProxyProcess.start(t, ["127.0.0.1:1"], NO_CHECKS);
  for (let i = 0; i < 14; i++) await (await fetch(proxy.url)).text();
  const { count, msg } = await proxy.log(({ msg }) => msg.includes("not told one by one"));
  assert.equal(count, 4);
  assert.equal(msg, "4 more requests failed with connect_refused, not told one by one");
  assert.equal(proxy.logs.filter(({ phase }) => phase === "connect").length, 10);
});
