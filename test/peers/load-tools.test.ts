/**
 * Load generators of other makes through the proxy: each has its own idea of HTTP, and none may see an error.
 */
import assert from "node:assert/strict";
import { testEachEngine } from "../harness/engines.ts";
import { installed, runProgram } from "../harness/program.ts";
import { startProxy, statsOf } from "../harness/proxy.ts";
import { startEcho } from "../harness/servers.ts";

const timeout = 60_000;
const REQUESTS = 400;

interface ToolCase {
  readonly name: string;
  readonly argv: readonly string[];
  readonly expect: readonly RegExp[];
  readonly refuse: readonly RegExp[];
}

const CASES: readonly ToolCase[] = [
  {
    name: "wrk",
    argv: ["wrk", "-t1", "-c8", "-d1s"],
    expect: [/[1-9]\d* requests in /],
    refuse: [/Socket errors/, /Non-2xx/],
  },
  {
    name: "hey",
    argv: ["hey", "-n", `${REQUESTS}`, "-c", "8"],
    expect: [new RegExp(`\\[200\\]\\s+${REQUESTS} responses`)],
    refuse: [/Error distribution/],
  },
  {
    name: "hey without keep-alive",
    argv: ["hey", "-n", `${REQUESTS}`, "-c", "8", "-disable-keepalive"],
    expect: [new RegExp(`\\[200\\]\\s+${REQUESTS} responses`)],
    refuse: [/Error distribution/],
  },
  {
    // HTTP/1.0 with Connection: keep-alive (RFC 9112 §C.2.2)
    name: "ab -k",
    argv: ["ab", "-q", "-k", "-n", `${REQUESTS}`, "-c", "8"],
    expect: [
      new RegExp(`Complete requests: +${REQUESTS}\n`),
      /Failed requests: +0\n/,
      new RegExp(`Keep-Alive requests: +${REQUESTS}\n`),
    ],
    refuse: [/Non-2xx/],
  },
  {
    name: "h2load --h1",
    argv: ["h2load", "--h1", "-n", `${REQUESTS}`, "-c", "8"],
    expect: [new RegExp(`${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`), / 0 3xx, 0 4xx, 0 5xx/],
    refuse: [],
  },
  {
    name: "h2load --h1, pipelined",
    argv: ["h2load", "--h1", "-n", `${REQUESTS}`, "-c", "4", "-m", "10"],
    expect: [new RegExp(`${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`), / 0 3xx, 0 4xx, 0 5xx/],
    refuse: [],
  },
];

testEachEngine("load generators", { timeout }, async (t, engine) => {
  const echo = await startEcho(t, ["--body-bytes", "1000"]);
  const proxy = await startProxy(t, engine, [echo.address]);
  for (const { name, argv, expect, refuse } of CASES) {
    await t.test(name, async (t) => {
      const command = installed(argv[0]!);
      if (command === "") return t.skip(`${argv[0]} is not installed`);
      const { stdout, stderr, status } = await runProgram(t, [command, ...argv.slice(1), `${proxy.url}/`]);
      assert.equal(status, 0, stderr);
      for (const pattern of expect) assert.match(stdout, pattern);
      for (const pattern of refuse) assert.doesNotMatch(stdout, pattern);
    });
  }
  const { total } = await statsOf(proxy);
  const failures = { ...total.errors };
  // wrk leaves in the middle of answers when its time is over.
  delete failures.client_gone;
  assert.deepEqual(
    Object.entries(failures).filter(([, count]) => count > 0),
    [],
  );
  assert.equal(total.responses["5xx"], 0);
});
