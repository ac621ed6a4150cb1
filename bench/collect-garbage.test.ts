import assert from "node:assert/strict";
import { test } from "node:test";
import { collectGarbage, INSPECTABLE } from "./collect-garbage.ts";
import { freePort, start, stopAll, waitForPort } from "./programs.ts";

const HELD_BYTES = 64 << 20;
/**
 * Holds much, and has a child that does; tells the smaller heap of both to whoever asks, and what was held is garbage
 * from then on. (Made at once, it would sometimes be collected before anybody asked.)
 */
const WASTEFUL = `
  const { spawn } = require("node:child_process");
  const http = require("node:http");
  let held = Array.from({ length: ${HELD_BYTES} / 8 / 1024 }, () => new Array(1024).fill(0.5));
  const heap = () => {
    const bytes = process.memoryUsage().heapUsed;
    held = undefined;
    return bytes;
  };
  if (process.send !== undefined) process.on("message", () => process.send(heap()));
  else {
    const child = spawn(process.execPath, ["-e", process.env.CODE], { stdio: ["ignore", 1, 2, "ipc"] });
    const answer = (request, response) => {
      child.once("message", (bytes) => response.end(String(Math.min(bytes, heap()))));
      child.send("how much?");
    };
    http.createServer(answer).listen(Number(process.env.PORT), "127.0.0.1");
  }
`;

test("garbage is collected in a program and in those that it starts", async () => {
  const port = await freePort();
  const env = { ...INSPECTABLE, PORT: String(port), CODE: WASTEFUL };
  const program = start([process.execPath, "-e", WASTEFUL], { core: undefined, env });
  try {
    await waitForPort(program, port);
    const heap = async () => Number(await (await fetch(`http://127.0.0.1:${port}/`)).text());
    const before = await heap();
    assert.equal(await collectGarbage(program.output()), 2, program.output());
    const after = await heap();
    assert.ok(before - after > HELD_BYTES / 2, `the smaller heap of both went from ${before} to ${after}`);
  } finally {
    await stopAll();
  }
});

test("who has no inspector has nothing to collect, and one that has left is named", async () => {
  assert.equal(await collectGarbage("listening on 127.0.0.1:1"), 0);
  const url = `ws://127.0.0.1:${await freePort()}/gone`;
  await assert.rejects(collectGarbage(`Debugger listening on ${url}`), {
    message: new RegExp(`^${url} does not answer: `),
  });
});
