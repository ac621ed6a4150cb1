/** Requests that wait for a connection, over a port that has only so many: a limit of descriptors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_SNAPSHOT } from "../../test/harness/plain-snapshot.ts";
import { QuietPort } from "../../test/harness/quiet-port.ts";
import { route } from "../../test/route/asking.ts";
import { BLOCK_BYTES, Counter } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import type { FailureNotice } from "../contract/notices.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import { createHttpSession } from "./http-session.ts";

const FIRST_ORIGIN = 1000;
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_OTHER = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OTHER_CLUSTER = [{ cluster: 1, weight: 1 }];

/** Takes so many connections to backends, and says that it is a limit of descriptors. */
class ScarcePort extends QuietPort {
  connectionsLeft = Number.POSITIVE_INFINITY;
  errno: number = Errno.EMFILE;
  readonly addresses: string[] = [];

  override connect(address = ""): number {
    if (this.connectionsLeft === 0) return this.errno;
    this.connectionsLeft--;
    this.addresses.push(address);
    return super.connect();
  }

  override close(connection: number): void {
    if (connection >= FIRST_ORIGIN) this.connectionsLeft++;
    super.close(connection);
  }
}

function snapshotOf(version: number, port: number): Snapshot {
  const endpoint = (name: string, number: number) => ({
    name,
    address: `127.0.0.1:${number}`,
    healthy: true,
  });
  return {
    ...PLAIN_SNAPSHOT,
    version,
    clusters: [
      { name: "main", endpoints: [endpoint("a", port)] },
      { name: "other", endpoints: [endpoint("b", 2)] },
    ],
    routing: {
      routes: [
        route("/other", { action: { kind: "forward", targets: OTHER_CLUSTER } }),
        route("/", { retries: 0 }),
      ],
    },
    timeouts: { ...PLAIN_SNAPSHOT.timeouts, originIdleMs: 60_000 },
  };
}

function stage() {
  const port = new ScarcePort(FIRST_ORIGIN);
  const reasons: string[] = [];
  const book = {
    admits: () => true,
    failure: ({ reason }: FailureNotice) => void reasons.push(reason),
    endpoint() {},
    drained() {},
  };
  const counters = new Float64Array(BLOCK_BYTES / 8);
  const session = createHttpSession(port, snapshotOf(1, 1), counters, book, 0);
  let nowMs = 1000;
  /** Returns in how many milliseconds the session wants the next one. */
  const batch = (act: () => void = () => {}): number => {
    nowMs += 2;
    session.begin(nowMs);
    act();
    return session.end();
  };
  return { port, session, batch, reasons, counters };
}

test("more requests at once than idle connections are closed in a batch: each has one in the end", () => {
  const { port, session, batch, reasons, counters } = stage();
  const [idle, asking] = [200, 100];
  for (let client = 0; client < idle; client++) {
    batch(() => session.accepted(client, 0));
    batch(() => port.deliver(session, client, GET_OTHER));
  }
  for (let i = 0; i < idle; i++) {
    batch(() => session.connected(FIRST_ORIGIN + i));
    batch(() => port.deliver(session, FIRST_ORIGIN + i, OK));
  }
  assert.equal(counters[Counter.originsIdle], idle);
  port.connectionsLeft = 0;
  batch(() => {
    for (let client = 0; client < asking; client++) port.deliver(session, client, GET);
  });
  while (port.connectedCount < idle + asking) {
    const waitMs = batch();
    const isDone = port.connectedCount === idle + asking;
    assert.ok(isDone || (waitMs >= 0 && waitMs <= 2), "the next batch is soon");
    assert.deepEqual(reasons, []);
  }
  assert.equal(counters[Counter.originsIdle], idle - asking);
});

test("the only endpoint is replaced while a request without retries waits for it: it goes to the new one", () => {
  const { port, session, batch, reasons } = stage();
  batch(() => session.accepted(0, 0));
  port.connectionsLeft = 0;
  batch(() => port.deliver(session, 0, GET));
  session.replaceSnapshot(snapshotOf(2, 3));
  port.connectionsLeft = 1;
  batch();
  assert.deepEqual(port.addresses, ["127.0.0.1:3"]);
  assert.deepEqual(reasons, []);
});

test("where none comes, all who wait are told in time, some in each batch", () => {
  const { port, session, batch, reasons } = stage();
  const asking = 100;
  port.connectionsLeft = 0;
  batch(() => {
    for (let client = 0; client < asking; client++) session.accepted(client, 0);
  });
  batch(() => {
    for (let client = 0; client < asking; client++) port.deliver(session, client, GET);
  });
  let batches = 0;
  while (reasons.length < asking) {
    assert.ok(batches++ < 600, "a second and a little is enough");
    const before = reasons.length;
    batch();
    assert.ok(reasons.length - before <= 64);
  }
  assert.ok(batches >= 500);
  assert.deepEqual([...new Set(reasons)], ["no_connection"]);
});

for (const name of ["EMFILE", "ENFILE", "ENOBUFS"] as const) {
  test(`${name} is a shortage: the request is sent once there is a connection`, () => {
    const { port, session, batch, reasons } = stage();
    batch(() => session.accepted(0, 0));
    port.errno = Errno[name];
    port.connectionsLeft = 0;
    batch(() => port.deliver(session, 0, GET));
    for (let i = 0; i < 10; i++) assert.equal(batch(), 2);
    port.connectionsLeft = 1;
    batch();
    assert.deepEqual(port.addresses, ["127.0.0.1:1"]);
    assert.deepEqual(reasons, []);
  });
}
