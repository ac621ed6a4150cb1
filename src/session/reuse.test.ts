/** Which requests go on an idle connection, by how long it has been idle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_SNAPSHOT } from "../../test/harness/plain-snapshot.ts";
import { QuietPort } from "../../test/harness/quiet-port.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { createHttpSession } from "./http-session.ts";

const CLIENT = 0;
const ORIGIN = 10;
const NEW_ORIGIN = 11;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const ROWS = [
  { method: "GET", idleMs: 3900, isReused: true },
  { method: "PUT", idleMs: 3900, isReused: true },
  { method: "POST", idleMs: 990, isReused: true },
  { method: "POST", idleMs: 1010, isReused: false },
  { method: "PATCH", idleMs: 1010, isReused: false },
  { method: "FETCH", idleMs: 1010, isReused: false },
  { method: "POST", idleMs: 700, originIdleMs: 800, isReused: true },
];

for (const { method, idleMs, originIdleMs = 4000, isReused } of ROWS) {
  test(`reuse: ${method} behind ${idleMs} of ${originIdleMs} ms: ${isReused ? "an idle" : "a new"} connection`, () => {
    const port = new QuietPort(ORIGIN);
    const counters = new Float64Array(BLOCK_BYTES / 8);
    const notices = { admits: () => true, failure: () => {}, endpoint: () => {}, drained: () => {} };
    const timeouts = { ...PLAIN_SNAPSHOT.timeouts, originIdleMs };
    const session = createHttpSession(port, { ...PLAIN_SNAPSHOT, timeouts }, counters, notices, 0);
    session.begin(1000);
    session.accepted(CLIENT, 0);
    port.deliver(session, CLIENT, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    session.connected(ORIGIN);
    session.end();
    session.begin(2000);
    assert.match(port.take(ORIGIN), /^GET /);
    port.deliver(session, ORIGIN, OK);
    session.end();
    session.begin(2000 + idleMs);
    port.deliver(session, CLIENT, `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    if (!isReused) session.connected(NEW_ORIGIN);
    session.end();
    assert.equal(port.connectedCount, isReused ? 1 : 2);
    assert.ok(port.take(isReused ? ORIGIN : NEW_ORIGIN).startsWith(`${method} / `));
  });
}
