/** Thousands of deadlines at one moment, over a port that takes everything and tells nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QuietPort } from "../../test/harness/quiet-port.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import type { FailureNotice } from "../contract/notices.ts";
import { DEFAULT_LIMITS, DEFAULT_POLICY, DEFAULT_TIMEOUTS, type Snapshot } from "../contract/snapshot.ts";
import { createHttpSession } from "./http-session.ts";
import { DUE_PER_BATCH_MAX } from "./plane.ts";
import { createRelaySession } from "./relay-session.ts";

const CLIENTS = 1000;
const FIRST_ORIGIN = CLIENTS + 1;
const BODY_IDLE_MS = 50;
const NOTICES_MAX = 10;
const HALF = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** Whatever comes due is counted; of its notices only the first few are admitted. */
class Book {
  readonly counters = new Float64Array(BLOCK_BYTES / 8);
  readonly told: FailureNotice[] = [];
  #asked = 0;

  admits(): boolean {
    return this.#asked++ < NOTICES_MAX;
  }

  failure(notice: FailureNotice): void {
    this.told.push(notice);
  }

  endpoint(): void {}
  drained(): void {}
}

function snapshotWith(mode: "http" | "tcp", timeouts: Partial<Snapshot["timeouts"]>): Snapshot {
  return {
    version: 1,
    mode,
    viaName: "test",
    clusters: [{ name: "main", endpoints: [{ name: "a", address: "127.0.0.1:1", healthy: true }] }],
    listeners: [{ cluster: 0 }],
    timeouts: { ...DEFAULT_TIMEOUTS, ...timeouts },
    limits: DEFAULT_LIMITS,
    policy: DEFAULT_POLICY,
  };
}

const KINDS = [
  { name: "bodies that fall silent", timeouts: { requestBodyIdleMs: BODY_IDLE_MS }, status: 408 },
  { name: "whole requests", timeouts: { requestMs: BODY_IDLE_MS }, status: 504 },
];

for (const { name, timeouts, status } of KINDS) {
  test(`deadlines of ${name} are acted on over several batches, with others' events in between`, () => {
    const port = new QuietPort(FIRST_ORIGIN);
    const book = new Book();
    const session = createHttpSession(port, snapshotWith("http", timeouts), book.counters, book, 0);
    session.begin(1000);
    for (let client = 0; client < CLIENTS; client++) {
      session.accepted(client, 0);
      port.deliver(session, client, HALF);
      session.connected(FIRST_ORIGIN + client);
    }
    assert.ok(session.end() > 0, "nothing is due yet");
    const failed = () => book.counters[Counter.requests]! - book.counters[Counter.requestsInFlight]!;
    let batches = 0;
    const nowMs = 1000 + 2 * BODY_IDLE_MS;
    session.begin(nowMs);
    while (session.end() === 0) {
      batches++;
      assert.equal(failed(), Math.min(CLIENTS, batches * DUE_PER_BATCH_MAX));
      session.begin(nowMs);
      if (batches !== 3) continue;
      session.accepted(CLIENTS, 0);
      port.deliver(session, CLIENTS, GET.replace("GET /", "FETCH /"));
      session.connected(FIRST_ORIGIN + CLIENTS);
      assert.match(port.sent.get(FIRST_ORIGIN + CLIENTS) ?? "", /^FETCH \/ /, "it is served in between");
    }
    assert.equal(book.counters[Counter.requestsInFlight], 1, "only the one that came in between is left");
    for (let client = 0; client < CLIENTS; client++) {
      assert.match(port.sent.get(client) ?? "", new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    assert.equal(book.told.length, NOTICES_MAX, "notices that are not admitted are not written");
  });
}

test("deadlines of tunnels are acted on over several batches", () => {
  const port = new QuietPort(FIRST_ORIGIN);
  const book = new Book();
  const snapshot = snapshotWith("tcp", { tunnelIdleMs: BODY_IDLE_MS });
  const session = createRelaySession(port, snapshot, book.counters, book, 0);
  session.begin(1000);
  for (let client = 0; client < CLIENTS; client++) {
    session.accepted(client, 0);
    session.connected(FIRST_ORIGIN + client);
  }
  session.end();
  for (let batches = 1; batches * DUE_PER_BATCH_MAX < CLIENTS; batches++) {
    session.begin(1000 + 2 * BODY_IDLE_MS);
    assert.equal(session.end(), 0, "more is due at once");
    assert.equal(port.closed.length, 2 * batches * DUE_PER_BATCH_MAX);
  }
  session.begin(1000 + 2 * BODY_IDLE_MS);
  session.end();
  assert.equal(port.closed.length, 2 * CLIENTS);
});
