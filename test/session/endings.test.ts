/** Early and odd endings: clients that leave or half-close, answers that overtake, tunnels that are refused. */
import assert from "node:assert/strict";
import { Counter } from "../../src/contract/counters.ts";
import { route } from "../route/asking.ts";
import type { RawPeer } from "./raw-peer.ts";
import { onEachEngine, type Stage } from "./stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const UPGRADE = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const SERVE = { policy: { halfClosedClients: "serve" } } as const;

/** The next connection to the backend, with the head of its request taken. */
async function asked(stage: Stage): Promise<{ origin: RawPeer; head: string }> {
  const origin = await stage.backend.next();
  return { origin, head: await origin.head() };
}

for (const way of ["fin", "rst"] as const) {
  const leave = (client: RawPeer): void => (way === "fin" ? client.end() : client.reset());

  onEachEngine(`leaving: ${way} behind pipelined requests lets the backend go at once`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET + GET);
    const { origin } = await asked(stage);
    client.write(GET);
    const bytes = GET.length * 3;
    await stage.eventually("all has come", () => stage.counter(Counter.clientBytesIn) === bytes);
    leave(client);
    await origin.gone();
    assert.deepEqual(stage.reasons, ["client_gone"]);
  });

  onEachEngine(
    `leaving: ${way} of a client that reads nothing lets the backend go at once`,
    {},
    async (stage) => {
      const client = stage.client();
      client.socket.pause();
      client.write(GET);
      const { origin } = await asked(stage);
      origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
      const poured = origin.pour(Buffer.alloc(64 * 2 ** 20));
      let before = -1;
      await stage.eventually("nothing moves", () => {
        const moved = stage.counter(Counter.clientBytesOut) !== before;
        before = stage.counter(Counter.clientBytesOut);
        return !moved && before > 200_000;
      });
      leave(client);
      await origin.gone();
      await poured;
      assert.deepEqual(stage.reasons, ["client_gone"]);
    },
  );

  onEachEngine(`leaving: ${way} before the backend stands`, {}, async (stage) => {
    const client = stage.client();
    client.write(GET);
    leave(client);
    await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
    await stage.eventually("nothing is left", () => stage.counter(Counter.originsOpen) === 0);
  });
}

onEachEngine("half-closed: FIN behind a request: it is answered, and told to close", SERVE, async (stage) => {
  const client = stage.client();
  client.write(GET);
  client.end();
  const { origin } = await asked(stage);
  await stage.eventually("FIN has come", () => client.socket.writableFinished);
  origin.write(OK);
  assert.match(await client.head(), /^HTTP\/1\.1 200 /);
  assert.equal(await client.rest(), "ok");
  await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
  assert.deepEqual(stage.reasons, []);
  assert.equal(stage.counter(Counter.originsIdle), 1);
});

onEachEngine("half-closed: FIN inside the response: the rest still comes", SERVE, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  const { origin } = await asked(stage);
  const bytes = Buffer.alloc(4 * 2 ** 20, "r");
  origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  await client.head();
  client.end();
  await origin.pour(bytes);
  assert.equal((await client.rest()).length, bytes.length);
  assert.deepEqual(stage.reasons, []);
});

onEachEngine(
  "half-closed: FIN behind pipelined requests: all are answered in order",
  SERVE,
  async (stage) => {
    const client = stage.client();
    client.write(`${GET}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello${GET}`);
    client.end();
    const { origin } = await asked(stage);
    origin.write(OK);
    await origin.until("hello");
    origin.write(OK);
    await origin.head();
    origin.write(OK);
    for (let i = 0; i < 3; i++) assert.equal((await client.message()).body, "ok");
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.requests), 3);
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine("half-closed: FIN inside a request: the answers before it still come", SERVE, async (stage) => {
  const client = stage.client();
  client.socket.pause();
  client.write(`${GET}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel`);
  client.end();
  const { origin } = await asked(stage);
  // More than the client's side takes, and no more than the kernel takes on ours.
  const bytes = Buffer.alloc(192 * 1024, "r");
  origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  await origin.pour(bytes);
  await stage.eventually("it is given up", () => stage.reasons.length === 1);
  client.socket.resume();
  await client.head();
  assert.equal((await client.rest()).length, bytes.length);
  assert.deepEqual(stage.reasons, ["client_gone"]);
});

onEachEngine(
  "half-closed: FIN behind an upload that has to wait: all of it goes on",
  SERVE,
  async (stage) => {
    stage.backend.onPeer = (peer) => peer.socket.pause();
    const client = stage.client();
    const bytes = Buffer.alloc(16 * 2 ** 20, "u");
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    const poured = client.pour(bytes).then(() => client.end());
    const origin = await stage.backend.next();
    let before = -1;
    await stage.eventually("nothing moves", () => {
      const moved = stage.counter(Counter.originBytesOut) !== before;
      before = stage.counter(Counter.originBytesOut);
      return !moved && before > 200_000;
    });
    let uploadBytes = 0;
    origin.onBytes = (chunk) => {
      uploadBytes += chunk.length;
    };
    origin.socket.resume();
    await origin.when("the whole upload", () => (uploadBytes > bytes.length ? true : undefined));
    await poured;
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, []);
  },
);

const CUT_REQUESTS: readonly { name: string; wire: string; reasons: string[] }[] = [
  { name: "a head", wire: "GET / HTTP/1.1\r\nHo", reasons: [] },
  {
    name: "a body",
    wire: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    reasons: ["client_gone"],
  },
  {
    name: "a chunked body",
    wire: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    reasons: ["client_gone"],
  },
];
for (const { name, wire, reasons } of CUT_REQUESTS) {
  onEachEngine(`half-closed: FIN inside ${name}: the request will never be whole`, SERVE, async (stage) => {
    const client = stage.client();
    client.write(wire);
    client.end();
    await client.gone();
    await stage.eventually("all is gone", () => stage.counter(Counter.clientsOpen) === 0);
    await stage.eventually("the backend is let go", () => stage.counter(Counter.originsOpen) === 0);
    assert.deepEqual(stage.reasons, reasons);
  });
}

onEachEngine(
  "half-closed: one that breaks off is noticed when something is sent to it",
  SERVE,
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    client.end();
    const { origin } = await asked(stage);
    await stage.eventually("FIN has come", () => client.socket.writableFinished);
    client.reset();
    origin.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 30}\r\n\r\n`);
    const poured = origin.pour(Buffer.alloc(64 * 2 ** 20));
    await origin.gone();
    await poured;
    assert.deepEqual(stage.reasons, ["client_gone"]);
  },
);

onEachEngine("half-closed: FIN behind an upgrade passes through the tunnel", SERVE, async (stage) => {
  const client = stage.client();
  client.write(`${UPGRADE}last words`);
  client.end();
  const { origin } = await asked(stage);
  await stage.eventually("FIN has come", () => client.socket.writableFinished);
  origin.write(SWITCH);
  assert.equal(await origin.rest(), "last words");
  origin.write("answer");
  origin.end();
  await client.head();
  assert.equal(await client.rest(), "answer");
  await stage.eventually("the tunnel is gone", () => stage.counter(Counter.tunnelsOpen) === 0);
});

onEachEngine("half-closed: an idle connection that ends is closed", SERVE, async (stage) => {
  const client = stage.client();
  client.write(GET);
  const { origin } = await asked(stage);
  origin.write(OK);
  await client.message();
  client.end();
  assert.equal(await client.rest(), "");
  await stage.eventually("it is gone", () => stage.counter(Counter.clientsOpen) === 0);
});

onEachEngine(
  "cut: an HTTP/1.0 client sees by RST that its body until close is not whole",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    const { origin } = await asked(stage);
    origin.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    await client.until("half");
    origin.end();
    await client.broken();
    assert.deepEqual(stage.reasons, ["response_cut"]);
  },
);

onEachEngine(
  "expect: an answer without 100 ends the connection, for its body is still to come",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const { origin } = await asked(stage);
    origin.write(OK);
    const { head, body } = await client.message();
    assert.match(head, /^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(body, "ok");
    assert.equal(await client.rest(), "");
    await origin.gone();
  },
);

onEachEngine("expect: the body need not wait for its 100", {}, async (stage) => {
  const client = stage.client();
  for (let i = 0; i < 2; i++) {
    client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    const origin = stage.backend.peers[0] ?? (await stage.backend.next());
    await origin.until("hello");
    origin.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    assert.match(await client.head(), /^HTTP\/1\.1 100 /);
    assert.equal((await client.message()).body, "ok");
    await stage.eventually("the connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  }
  assert.equal(stage.backend.peers.length, 1);
});

onEachEngine("expect: an HTTP/1.0 client gets no 100 (RFC 9110 §10.1.1)", {}, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  const origin = await stage.backend.next();
  await origin.until("hello");
  origin.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
  assert.match(await client.rest(), /^HTTP\/1\.1 200 /);
});

onEachEngine(
  "expect: a backend that dies before it asked for the body: an idempotent request goes on",
  {},
  async (stage) => {
    const client = stage.client();
    client.write("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    const first = await asked(stage);
    first.origin.reset();
    const { origin } = await asked(stage);
    origin.write("HTTP/1.1 100 Continue\r\n\r\n");
    assert.match(await client.head(), /^HTTP\/1\.1 100 /);
    client.write("b".repeat(100_000));
    assert.equal((await origin.bytes(100_000)).toString("latin1"), "b".repeat(100_000));
    origin.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.equal(stage.counter(Counter.retries), 1);
    assert.deepEqual(stage.reasons, []);
  },
);

onEachEngine("expect: nor is a POST sent twice, though its body was not: 502", {}, async (stage) => {
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
  const { origin } = await asked(stage);
  origin.reset();
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 [\s\S]*\r\nConnection: close\r\n/);
  assert.deepEqual(stage.reasons, ["origin_reset"]);
  assert.equal(stage.backend.peers.length, 1);
});

const CONNECT = "CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n";
const PASS = { policy: { connectMethod: "pass" } } as const;

onEachEngine(
  "connect: a 2xx opens a tunnel, whatever its fields say (RFC 9110 §9.3.6)",
  PASS,
  async (stage) => {
    for (const fields of ["", "Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"]) {
      const client = stage.client();
      client.write(`${CONNECT}early client`);
      const { origin, head } = await asked(stage);
      assert.match(head, /^CONNECT far:443 HTTP\/1\.1\r\n[\s\S]*Host: far:443\r\n/);
      origin.write(`HTTP/1.1 200 Established\r\n${fields}\r\nearly origin`);
      assert.doesNotMatch(await client.head(), /content-length|transfer-encoding|connection/i);
      assert.equal(await client.until("early origin"), "early origin");
      assert.equal(await origin.until("early client"), "early client");
      client.write("late");
      await origin.until("late");
      client.end();
      assert.equal(await origin.rest(), "");
      origin.end();
      assert.equal(await client.rest(), "");
    }
    assert.equal(stage.counter(Counter.tunnels), 3);
    assert.equal(stage.counter(Counter.responses2xx), 3);
  },
);

onEachEngine(
  "connect: an answer of a route ends the connection too, and what came early is no request",
  { ...PASS, routing: { routes: [route("/elsewhere")] } },
  async (stage) => {
    const client = stage.client();
    client.write(CONNECT + GET);
    const answer = await client.rest();
    assert.match(answer, /^HTTP\/1\.1 404 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(answer.split("HTTP/1.1 ").length, 2);
    assert.deepEqual(stage.reasons, ["no_route"]);
  },
);

onEachEngine(
  "half-closed: whose last answer is sent is not waited for",
  { policy: SERVE.policy, limits: { requestsPerClientMax: 1 }, timeouts: { lingerMs: 3_600_000 } },
  async (stage) => {
    const client = stage.client();
    client.write(GET + GET);
    client.end();
    const { origin } = await asked(stage);
    origin.write(OK);
    assert.match(await client.rest(), /\r\nConnection: close\r\n[\s\S]*ok$/);
    await stage.eventually("it is closed", () => stage.counter(Counter.clientsOpen) === 0);
  },
);

onEachEngine(
  "connect: any other answer is an answer, and what came early is no request",
  PASS,
  async (stage) => {
    const client = stage.client();
    client.write(CONNECT + GET);
    const { origin } = await asked(stage);
    origin.write("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    const { head, body } = await client.message();
    assert.match(head, /^HTTP\/1\.1 403 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(body, "no");
    assert.equal(await client.rest(), "");
    assert.equal(stage.counter(Counter.requests), 1);
    assert.equal(stage.counter(Counter.tunnels), 0);
    await stage.eventually("the backend connection is idle", () => stage.counter(Counter.originsIdle) === 1);
  },
);

for (const field of ["Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked"]) {
  onEachEngine(`connect: with ${field}: 400`, PASS, async (stage) => {
    const client = stage.client();
    client.write(`CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n${field}\r\n\r\nhello`);
    assert.match((await client.message()).head, /^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/);
    assert.equal(await client.rest(), "");
    assert.deepEqual(stage.reasons, ["connect_body"]);
    assert.equal(stage.backend.peers.length, 0);
  });
}

onEachEngine("connect: a backend that does not answer is not asked twice: 502", PASS, async (stage) => {
  const client = stage.client();
  client.write(CONNECT);
  const { origin } = await asked(stage);
  origin.end();
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 /);
  assert.equal(await client.rest(), "");
  assert.equal(stage.backend.peers.length, 1);
});
