/** The command hp-echo as people start it: from bin/, in processes of its own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";

const COMMAND = path.join(import.meta.dirname, "../../bin/hp-echo");

function start(...args: string[]): {
  child: ChildProcess;
  firstLine: Promise<string>;
  ended: Promise<string>;
} {
  const child = spawn(COMMAND, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const ended = once(child, "close").then(([status, signal]) => `${signal ?? status}\n${text}`);
  const firstLine = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!])
      stream.on("data", (chunk: Buffer) => {
        text += chunk;
        if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
      });
    ended.then(() => reject(new Error(`hp-echo ended: ${text}`)));
  });
  firstLine.catch(() => {});
  return { child, firstLine, ended };
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`hp-echo: listens, answers, and ends with status 0 at ${signal}`, async () => {
    const { child, firstLine, ended } = start("--port", "0", "--body-bytes", "3");
    const address = /^listening on (127\.0\.0\.1:\d+)$/.exec(await firstLine)?.[1];
    assert.ok(address, await firstLine);
    assert.equal(await (await fetch(`http://${address}/`)).text(), "012");
    child.kill(signal);
    assert.equal(await ended, `0\nlistening on ${address}\n`);
  });
}

test("hp-echo: workers share the port and end with it", async () => {
  const { child, firstLine, ended } = start("--port", "0", "--workers", "2", "--engine", "net");
  const address = (await firstLine).replace("listening on ", "");
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => fetch(`http://${address}/health`, { headers: { connection: "close" } })),
  );
  for (const answer of answers) assert.equal(await answer.text(), "ok\n");
  child.kill("SIGTERM");
  assert.equal(await ended, `0\nlistening on ${address}\n`);
  await assert.rejects(fetch(`http://${address}/health`), "no worker is left behind");
});

test("hp-echo: all wrong arguments are told at once", async () => {
  const text = await start("--port", "70000", "--engine", "warp", "--body", "1", "--host", "localhost").ended;
  assert.match(text, /^1\n/);
  for (const part of [
    "--port",
    "70000",
    "--engine",
    "warp",
    "--body",
    "did you mean --body-bytes?",
    "localhost",
    "is not an IP",
  ])
    assert.ok(text.includes(part), `${part} in ${text}`);
});

test("hp-echo: a port in use gives one sentence", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const text = await start("--port", `${port}`).ended;
  assert.equal(text, `1\nhp-echo: 127.0.0.1:${port} is in use; choose another --port, or 0 for a free one\n`);
  server.close();
});
