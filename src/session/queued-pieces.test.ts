/** Whose sender is held for what waits to leave, over a port where nothing leaves until it is told to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_SNAPSHOT } from "../../test/harness/plain-snapshot.ts";
import { QuietPort } from "../../test/harness/quiet-port.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { createHttpSession } from "./http-session.ts";

const CLIENT = 0;
const ORIGIN = 1;
const EXCHANGES = 300;
/** More than is copied together with what is next to it. */
const PIECE = "x".repeat(3000);
const PIECES = 2;
const LENGTH = `Content-Length: ${PIECES * PIECE.length}\r\n\r\n`;

/** Keeps what is sent until `leave`, and who was paused meanwhile. */
class HoldingPort extends QuietPort {
  readonly paused: number[] = [];
  readonly #queued = new Map<number, number>();

  override send(connection: number, start: number, end: number): void {
    super.send(connection, start, end);
    this.#queued.set(connection, this.queuedBytes(connection) + end - start);
  }

  override queuedBytes(connection = -1): number {
    return this.#queued.get(connection) ?? 0;
  }

  override pause(connection = -1): void {
    this.paused.push(connection);
  }

  /** All that waits has left. */
  leave(): void {
    this.#queued.clear();
  }
}

function stage() {
  const port = new HoldingPort(ORIGIN);
  const book = { admits: () => false, failure() {}, endpoint() {}, drained() {} };
  const session = createHttpSession(port, PLAIN_SNAPSHOT, new Float64Array(BLOCK_BYTES / 8), book, 0);
  let nowMs = 1000;
  const batch = (act: () => void): void => {
    session.begin(++nowMs);
    act();
    session.end();
  };
  batch(() => session.accepted(CLIENT, 0));
  return { port, session, batch };
}

test("responses in pieces, on one connection for ever, each of which leaves: the backend is never held", () => {
  const { port, session, batch } = stage();
  for (let i = 0; i < EXCHANGES; i++) {
    batch(() => port.deliver(session, CLIENT, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    if (i === 0) batch(() => session.connected(ORIGIN));
    port.leave();
    batch(() => port.deliver(session, ORIGIN, `HTTP/1.1 200 OK\r\n${LENGTH}${PIECE}`));
    batch(() => port.deliver(session, ORIGIN, PIECE));
    port.leave();
  }
  assert.deepEqual(port.paused, []);
  assert.equal(port.connectedCount, 1);
});

test("requests in pieces, on one connection for ever, each of which leaves: the client is never held", () => {
  const { port, session, batch } = stage();
  for (let i = 0; i < EXCHANGES; i++) {
    batch(() => port.deliver(session, CLIENT, `POST / HTTP/1.1\r\nHost: x\r\n${LENGTH}${PIECE}`));
    if (i === 0) {
      batch(() => session.connected(ORIGIN));
      // It was held until there was a connection to send on.
      port.paused.length = 0;
    }
    batch(() => port.deliver(session, CLIENT, PIECE));
    port.leave();
    batch(() => port.deliver(session, ORIGIN, "HTTP/1.1 204 No Content\r\n\r\n"));
    port.leave();
  }
  assert.deepEqual(port.paused, []);
  assert.equal(port.connectedCount, 1);
});

test("one response in many pieces, none of which leaves: the backend is held", () => {
  const { port, session, batch } = stage();
  batch(() => port.deliver(session, CLIENT, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  batch(() => session.connected(ORIGIN));
  batch(() => port.deliver(session, ORIGIN, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"));
  for (let i = 0; i < 40 && port.paused.length === 0; i++) batch(() => port.deliver(session, ORIGIN, "x"));
  assert.deepEqual(port.paused, [ORIGIN]);
});
