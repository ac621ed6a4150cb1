/** Listeners that share a port, with the real command. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { ConfiguredProxy } from "../harness/configured-proxy.ts";
import { testEachEngine } from "../harness/engines.ts";
import { ownCommand, Program } from "../harness/program.ts";
import { freePort } from "../harness/servers.ts";
import { startOrigin } from "./origin.ts";

const timeout = 120_000;
const STARTS = 5;
const WITHOUT_FFI = { NODE_OPTIONS: `--import=${new URL("./without-ffi.ts", import.meta.url).href}` };

/** Which backend answers a request on a connection of its own, over IPv4 and over IPv6. */
function answers(port: number): Promise<string[]> {
  return Promise.all(
    ["127.0.0.1", "::1"].map(async (host) => {
      const request = get({ host, port, agent: false });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return await text(response);
    }),
  );
}

async function reloadPair(
  t: TestContext,
  engine: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const port = await freePort();
  const cluster = async (name: string) => {
    const origin = await startOrigin(t, (_request, response) => response.end(name));
    return { backends: [origin.address] };
  };
  const clusters = { four: await cluster("four"), six: await cluster("six") };
  const four = { address: `0.0.0.0:${port}`, cluster: "four" };
  const six = { address: `[::]:${port}`, cluster: "six" };
  const base = { workers: 2, engine, health: { kind: "off" } };
  const both = { ...base, clusters, listen: [four, six] };
  const proxy = await ConfiguredProxy.start(t, both, [], environment);
  assert.deepEqual(await answers(port), ["four", "six"]);
  proxy.write({ ...base, clusters: { six: clusters.six }, listen: six });
  assert.deepEqual((await proxy.reload()).errors, []);
  assert.deepEqual(await answers(port), ["six", "six"]);
  proxy.write({ ...both, listen: [six, four] });
  assert.deepEqual((await proxy.reload()).errors, []);
  assert.deepEqual(await answers(port), ["four", "six"]);
  proxy.write({ ...base, clusters: { four: clusters.four }, listen: four });
  assert.deepEqual((await proxy.reload()).errors, []);
  assert.equal(
    (await answers(port).catch((error: NodeJS.ErrnoException) => error.code)) as string,
    "ECONNREFUSED",
  );
  proxy.write(both);
  assert.deepEqual((await proxy.reload()).errors, []);
  assert.deepEqual(await answers(port), ["four", "six"]);
}

testEachEngine("0.0.0.0 and [::] share a port, and come and go", { timeout }, reloadPair);

test("0.0.0.0 and [::] share a port where workers open their sockets", { timeout }, async (t) => {
  await reloadPair(t, "net", WITHOUT_FFI);
});

/**
 * What a GET on a new connection brings, or the code of the error. The client has an address of its own: who asks often
 * enough at a port that nobody listens on is given that port, and meets himself.
 */
function visit(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (piece) => {
      text += String(piece);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code!));
    socket.on("close", () => resolve(text));
    socket.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  });
}

testEachEngine("who finds the port open is served, however early", { timeout }, async (t, engine) => {
  const origin = await startOrigin(t, (_request, response) => response.end("here"));
  const flags = ["--engine", engine, "--workers", "1", "--health", "off"];
  for (let start = 0; start < STARTS; start++) {
    const port = await freePort();
    const listen = ["--listen", `127.0.0.1:${port}`, "--backends", origin.address];
    const proxy = new Program(t, [...ownCommand("hp-proxy"), ...listen, ...flags]);
    let answer = await visit(port);
    while (answer === "ECONNREFUSED" && proxy.child.exitCode === null) answer = await visit(port);
    assert.match(answer, /^HTTP\/1\.1 200 .*here$/s, `start ${start}: ${answer} ${proxy.output}`);
    await proxy.kill();
  }
});
