/** A wrong answer is found: before a measurement, and when it comes only beside the load. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { mirror } from "./mirror.ts";
import { SCENARIOS } from "./scenarios.ts";
import { answersOf, firstUnlike, firstWrong, sample } from "./verify.ts";

const SMALL_GET = SCENARIOS[0]!;
const WEB_SOCKET = SCENARIOS.find(({ load }) => load === "web-socket")!;
const UPLOAD = SCENARIOS.find(({ bodyBytes }) => bodyBytes > 0)!;
const PIPELINE = SCENARIOS.find(({ pipeline }) => pipeline > 1)!;
const CONNECT = SCENARIOS.find(({ fields }) => fields["Connection"] === "close")!;

async function listening<S extends Server>(server: S, where: number | string = 0): Promise<S> {
  if (typeof where === "number") server.listen(where, "127.0.0.1");
  else server.listen(where);
  await once(server, "listening");
  return server;
}

function serving(listener: http.RequestListener): Promise<http.Server> {
  return listening(http.createServer(listener));
}

/**
 * Answers every request of a connection with its target. `twist` may change what is written: it has the
 * answers to what has come at once, and how many came on this connection before.
 */
function raw(twist: (answers: readonly string[], before: number) => readonly string[]): Promise<Server> {
  const server = createServer((socket) => {
    let rest = "";
    let before = 0;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const heads = (rest + chunk.toString("latin1")).split("\r\n\r\n");
      rest = heads.pop()!;
      const answers = heads.map((head) => answer(head.split(" ")[1]!, /\nConnection: close/.test(head)));
      socket.write(twist(answers, before).join(""));
      server.emit("asked");
      before += answers.length;
      if (heads.some((head) => /\nConnection: close/.test(head))) socket.end();
    });
  });
  return listening(server);
}

function answer(target: string, closes: boolean): string {
  const fields = `Content-Length: ${target.length}${closes ? "\r\nConnection: close" : ""}`;
  return `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${target}`;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

const right = await raw((answers) => answers);
test.after(() => void right.close());

/** Resolves when `server` has had `count` more pieces to answer. */
async function untilAsked(server: Server, count: number): Promise<void> {
  for (let asked = 0; asked < count; asked++) await once(server, "asked");
}

type Twist = Parameters<typeof raw>[0];
const BAD_PROXIES: readonly (readonly [name: string, twist: Twist, fault: RegExp])[] = [
  [
    "the second answer on a connection is wrong",
    (answers, before) => (before === 1 ? answers.map(() => answer("/other", false)) : answers),
    /^200 with 6 bytes \w+ instead of 200 with 12 bytes/,
  ],
  [
    "the second request gets the first one's answer",
    (answers, before) => (before === 1 ? answers.map(() => answer("/", false)) : answers),
    /^200 with 1 bytes .* turn 2\)/,
  ],
  [
    "bytes that nobody asked for come behind the second answer",
    (answers, before) => (before === 1 ? [...answers, answer("/", false)] : answers),
    /^bytes /,
  ],
  ["the second answer is none", (answers, before) => (before > 0 ? ["none\r\n\r\n"] : answers), /^not a/],
];
for (const [name, twist, fault] of BAD_PROXIES)
  test(`bad proxy: ${name}`, async () => {
    await using bad = await raw((answers, before) =>
      answers[0]!.includes("close") ? answers : twist(answers, before),
    );
    const wrong = async (scenario: typeof SMALL_GET) =>
      firstWrong(await answersOf(portOf(bad), scenario), await answersOf(portOf(right), scenario));
    assert.match(await wrong(SMALL_GET), fault);
    assert.equal(await wrong(CONNECT), "", "it is right where every request has a connection of its own");
    const stop = sample(portOf(bad), SMALL_GET, await answersOf(portOf(right), SMALL_GET));
    await untilAsked(bad, 6);
    assert.notEqual((await stop()).wrong, "", "beside the load");
  });

test("bad proxy: pipelined answers in the wrong order", async () => {
  await using bad = await raw((answers) => answers.toReversed());
  const expected = await answersOf(portOf(right), PIPELINE);
  assert.equal(firstWrong(await answersOf(portOf(right), PIPELINE), expected), "");
  assert.match(firstWrong(await answersOf(portOf(bad), PIPELINE), expected), /, answer 1 \(connection 1/);
});

test("bad proxy: it closes in the middle of a pipelined batch", async () => {
  await using bad = await raw((answers) => [answer("/", true), ...answers.slice(1)]);
  const expected = await answersOf(portOf(right), PIPELINE);
  assert.match(firstWrong(await answersOf(portOf(bad), PIPELINE), expected), /^closed with 15 requests/);
});

test("answers: status, length and every byte of a body count", async () => {
  const bodies = ["hello", "hellp", "hello!", "hello"];
  const statuses = [200, 200, 200, 201];
  const seen = new Set<string>();
  for (const [index, body] of bodies.entries()) {
    await using server = await serving((_request, response) => {
      response.writeHead(statuses[index]!).end(body);
    });
    for (const one of (await answersOf(portOf(server), SMALL_GET)).flat()) seen.add(one);
  }
  assert.equal(seen.size, bodies.length);
});

test("answers: where nothing is expected, all have to begin alike", () => {
  assert.equal(firstUnlike([["200 a", "200 b"], ["200 c"]], "200"), "");
  assert.equal(firstUnlike([["200 a"], ["500 b"]], "200"), "500 b instead of 200");
});

test("answers: what should be upgraded and is not, is told", async () => {
  await using server = await serving((_request, response) => response.writeHead(404).end());
  assert.deepEqual(await answersOf(portOf(server), WEB_SOCKET), [["404 instead of an upgrade"]]);
});

test("sample: nothing is wrong where every answer is right, and connections are kept", async () => {
  let connections = 0;
  await using server = await serving((_request, response) => response.end("right"));
  const expected = await answersOf(portOf(server), SMALL_GET);
  server.on("connection", () => connections++);
  const stop = sample(portOf(server), SMALL_GET, expected);
  for (let asked = 0; asked < 6; asked++) await once(server, "request");
  const { count, wrong } = await stop();
  assert.equal(wrong, "");
  assert.ok(count >= 5);
  assert.equal(connections, 4);
});

/** A proxy to the Unix socket `file` that passes bodies on in pieces, each as `twist` has made it. */
function uploading(file: string, twist: (piece: Buffer) => Buffer): Promise<http.Server> {
  return serving((request, response) => {
    if (request.url !== "/mirror") {
      request.resume().on("end", () => response.end("taken"));
      return;
    }
    const headers = { "Transfer-Encoding": "chunked" };
    const onward = http.request({ socketPath: file, method: "POST", headers }, (answered) => {
      answered.pipe(response);
    });
    request.on("data", (piece: Buffer) => onward.write(twist(piece)));
    request.on("end", () => onward.end());
  });
}

test("uploads: a proxy that changes one bit or loses a byte is told from one that does not", async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "hp-proxy-mirror-"));
  try {
    const file = path.join(directory, "mirror.sock");
    await mirror(file);
    const flipped = (piece: Buffer) => {
      const copy = Buffer.from(piece);
      copy[0]! ^= 1;
      return copy;
    };
    await using good = await uploading(file, (piece) => piece);
    await using again = await uploading(file, (piece) => piece);
    await using flips = await uploading(file, flipped);
    await using loses = await uploading(file, (piece) => piece.subarray(1));
    const expected = await answersOf(portOf(good), UPLOAD);
    const wrong = async (proxy: Server) => firstWrong(await answersOf(portOf(proxy), UPLOAD), expected);
    assert.equal(new Set(expected.flat()).size, 9, "two uploads on each of four connections, and the others");
    assert.equal(await wrong(again), "");
    assert.match(await wrong(flips), /instead of/);
    assert.match(await wrong(loses), /instead of/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
