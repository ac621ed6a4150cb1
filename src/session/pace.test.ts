/** Which clients stand in the background, over a port that takes everything and tells nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_SNAPSHOT } from "../../test/harness/plain-snapshot.ts";
import { QuietPort } from "../../test/harness/quiet-port.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { createHttpSession } from "./http-session.ts";

const CLIENT = 0;
const ORIGIN = 1;
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Each piece that a client sends, and whether it stands in the background behind it. */
const CASES: readonly { name: string; pieces: readonly (readonly [string, boolean])[] }[] = [
  { name: "a request in one piece", pieces: [[GET, false]] },
  { name: "a body in the piece of its head", pieces: [[`${POST}123456789`, false]] },
  {
    name: "a head in pieces",
    pieces: [
      ["GET / HT", true],
      ["TP/1.1\r\nHo", true],
      ["st: x\r\n\r\n", false],
    ],
  },
  {
    name: "a body in pieces",
    pieces: [
      [`${POST}1234`, true],
      ["56", true],
      ["789", false],
    ],
  },
  {
    name: "a chunked body",
    pieces: [
      [CHUNKED, true],
      ["4\r\n1234\r\n", true],
      ["0\r\n\r\n", false],
    ],
  },
  {
    name: "a second request that begins behind a body",
    pieces: [
      [`${POST}1234`, true],
      [`56789${GET}`, false],
    ],
  },
];

/** Keeps where each connection stands. */
class PlacesPort extends QuietPort {
  readonly isBackground = new Map<number, boolean>();

  override setBackground(connection: number, isBackground: boolean): void {
    this.isBackground.set(connection, isBackground);
  }
}

for (const { name, pieces } of CASES) {
  test(`who is in the background: ${name}`, () => {
    const port = new PlacesPort(ORIGIN);
    const book = { admits: () => false, failure() {}, endpoint() {}, drained() {} };
    const session = createHttpSession(port, PLAIN_SNAPSHOT, new Float64Array(BLOCK_BYTES / 8), book, 0);
    session.begin(1000);
    session.accepted(CLIENT, 0);
    for (const [text, isBackground] of pieces) {
      const connections = port.connectedCount;
      port.deliver(session, CLIENT, text);
      if (port.connectedCount > connections) session.connected(ORIGIN + connections);
      assert.equal(port.isBackground.get(CLIENT) ?? false, isBackground, JSON.stringify(text));
    }
    session.end();
    assert.equal(port.isBackground.has(ORIGIN), false);
  });
}

test("a client that a plain exchange has is never moved", () => {
  const port = new PlacesPort(ORIGIN);
  const book = { admits: () => false, failure() {}, endpoint() {}, drained() {} };
  const session = createHttpSession(port, PLAIN_SNAPSHOT, new Float64Array(BLOCK_BYTES / 8), book, 0);
  session.begin(1000);
  session.accepted(CLIENT, 0);
  port.deliver(session, CLIENT, GET);
  session.connected(ORIGIN);
  port.deliver(session, ORIGIN, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  session.end();
  assert.equal(port.isBackground.size, 0);
});
