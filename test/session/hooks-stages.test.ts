/** Bodies of requests and responses that go through foreign code. */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import { Counter } from "../../src/contract/counters.ts";
import { HeadOf, type Intercepted } from "../../src/contract/interception.ts";
import { chunked, chunksOf, digest, GET, LARGE, pour, writeAndTakeBack } from "./hook-bodies.ts";
import type { RawPeer } from "./raw-peer.ts";
import { heldAt, ScriptedStage, withChain } from "./scripted-chain.ts";
import type { Stage } from "./stage.ts";

const { request, response } = HeadOf;

/** Puts a stage in the way, which gives on what it gets in its own time: after each piece it wants none for a while. */
function slowStage(
  e: Intercepted,
  which: 0 | 1,
  keepsLength: boolean,
  change = (b: Buffer) => b,
): ScriptedStage {
  const stage = new ScriptedStage();
  stage.sink = e.transform(which, stage, keepsLength);
  assert.ok(stage.sink !== null);
  stage.onPiece = (piece) => {
    setImmediate(() => {
      stage.sink!.write(change(piece));
      stage.sink!.more();
    });
    return false;
  };
  stage.onEnd = () => setImmediate(() => stage.sink!.end());
  return stage;
}

withChain("the head of a response does not wait for its body", {}, async (stage, chain) => {
  chain.onResponse = (e) => void slowStage(e, response, false);
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  assert.match(await client.head(), /^HTTP\/1\.1 200 /);
  backend.write("ok");
  assert.equal(String(await chunked(client)), "ok");
});

const invert = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));

for (const framing of ["length", "chunked"] as const) {
  for (const keeps of [false, true]) {
    const how = `${framing}${keeps ? ", of which it keeps the length" : ""}`;
    withChain(`a request of 700 kB (${how}) goes through a stage`, {}, async (stage, chain) => {
      chain.onRequest = (e) => void slowStage(e, request, keeps, invert);
      const client = stage.client();
      const isChunked = framing === "chunked";
      const line = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${LARGE.length}`;
      client.write(`POST / HTTP/1.1\r\nHost: h\r\n${line}\r\n\r\n`);
      if (isChunked) void client.pour(chunksOf(LARGE));
      else void client.pour(LARGE);
      const backend = await stage.backend.next();
      const head = await backend.head();
      const leavesByLength = keeps && !isChunked;
      assert.equal(/content-length/i.test(head), leavesByLength);
      assert.equal(/\r\ntransfer-encoding: chunked\r\n/i.test(head), !leavesByLength);
      const body = leavesByLength ? await backend.bytes(LARGE.length) : await chunked(backend);
      assert.equal(digest(body), digest(invert(Buffer.from(LARGE))));
      backend.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      await client.message();
      chain.onRequest = () => {};
      client.write(GET);
      await backend.head();
    });
  }
}

for (const framing of ["length", "chunked", "close"] as const) {
  for (const keeps of [false, true]) {
    const how = `${framing}${keeps ? ", of which it keeps the length" : ""}`;
    withChain(`a response of 700 kB (${how}) goes through a stage`, {}, async (stage, chain) => {
      let seen: Intercepted | undefined;
      chain.onResponse = (e) => {
        seen = e;
        slowStage(e, response, keeps, invert);
      };
      const client = stage.client();
      client.write(GET);
      const backend = await stage.backend.next();
      await backend.head();
      backend.write(`HTTP/1.1 200 OK\r\n${lineOf(framing)}X: y\r\n\r\n`);
      void backend.pour(framing === "chunked" ? chunksOf(LARGE) : LARGE).then(() => {
        if (framing === "close") backend.end();
      });
      let bytes = 0;
      chain.onLog = (e) => (bytes = e.responseBodyBytes);
      const head = await client.head();
      const leavesByLength = keeps && framing === "length";
      assert.equal(/content-length/i.test(head), leavesByLength);
      const body = leavesByLength ? await client.bytes(LARGE.length) : await chunked(client);
      assert.equal(digest(body), digest(invert(Buffer.from(LARGE))));
      await stage.eventually("it is over", () => !seen!.isLive);
      assert.equal(bytes, LARGE.length);
      client.write(GET);
      const next = framing === "close" ? await stage.backend.next() : backend;
      await next.head();
    });
  }
}

function lineOf(framing: "length" | "chunked" | "close"): string {
  if (framing === "length") return `Content-Length: ${LARGE.length}\r\n`;
  return framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

withChain("a small request body goes through a stage, in the call", {}, async (stage, chain) => {
  chain.onRequest = (e) => {
    const through = new ScriptedStage();
    through.sink = e.transform(request, through, false)!;
    through.onEnd = () => {
      through.sink!.write(asciiBytes(`<${through.text}>`));
      through.sink!.end();
    };
    assert.equal(e.transform(request, through, false), null, "one stage");
    assert.equal(e.transform(response, through, false), null, "too early");
  };
  const client = stage.client();
  for (let i = 0; i < 3; i++) {
    client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    const backend = i === 0 ? await stage.backend.next() : stage.backend.peers[0]!;
    assert.match(await backend.head(), /\r\ntransfer-encoding: chunked\r\n/i);
    assert.equal((await chunked(backend)).toString(), "<hello>");
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await client.message();
  }
  assert.equal(stage.backend.peers.length, 1);
});

withChain("a body flows into a stage while its request is held", {}, async (stage, chain) => {
  const through = new ScriptedStage();
  let exchange: Intercepted | undefined;
  chain.onRequest = (e) => {
    e.hold();
    exchange = e;
    through.sink = e.transform(request, through, true);
    stage.changed();
  };
  through.onEnd = () => stage.changed();
  const client = stage.client();
  client.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
  void client.pour(LARGE);
  await stage.when("the stage has all", () => through.hasEnded || undefined);
  assert.equal(digest(Buffer.concat(through.pieces)), digest(LARGE));
  assert.equal(exchange!.requestBodyBytes, LARGE.length);
  assert.equal(stage.backend.peers.length, 0);
  pour(through.sink!, LARGE, (go) => (through.onDrained = go));
  exchange!.proceed();
  const backend = await stage.backend.next();
  assert.match(await backend.head(), new RegExp(`\\r\\nContent-Length: ${LARGE.length}\\r\\n`, "i"));
  assert.equal(digest(await backend.bytes(LARGE.length)), digest(LARGE));
});

for (const comes of ["at once", "later"] as const)
  withChain(`a body that waits for 100 is asked for, ${comes}`, {}, async (stage, chain) => {
    const through = new ScriptedStage();
    const held = heldAt(stage, chain, "onRequest");
    const ask = (e: Intercepted) => {
      through.sink = e.transform(request, through, true);
      through.onEnd = () => {
        through.sink!.write(asciiBytes(through.text));
        through.sink!.end();
        e.proceed();
      };
    };
    if (comes === "at once") {
      const { onRequest } = chain;
      chain.onRequest = (e) => {
        onRequest(e);
        ask(e);
      };
    }
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const exchange = await held;
    if (comes === "later") ask(exchange);
    assert.equal(await client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello");
    const backend = await stage.backend.next();
    assert.doesNotMatch(await backend.head(), /expect/i);
    assert.equal((await backend.bytes(5)).toString(), "hello");
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.equal((await client.message()).body, "ok");
  });

withChain(
  "nothing can be transformed where there is no body, or a tunnel may come",
  {},
  async (stage, chain) => {
    const refused: unknown[] = [];
    const through = new ScriptedStage();
    chain.onRequest = (e) => refused.push(e.transform(request, through, false));
    chain.onResponse = (e) => refused.push(e.transform(response, through, false));
    const client = stage.client();
    client.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    const backend = await stage.backend.next();
    await backend.head();
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await client.message();
    client.write("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    await backend.head();
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    await client.head();
    assert.deepEqual(refused, [null, null, null, null]);
  },
);

withChain("an upgrade passes, and is logged when its tunnel begins", {}, async (stage, chain) => {
  const client = stage.client();
  client.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  const backend = await stage.backend.next();
  await backend.head();
  backend.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi");
  await client.until("hi");
  client.write("there");
  await backend.until("there");
  assert.deepEqual(chain.told, ["request", "upstream", "log 101"]);
});

withChain("the backend connection is free while a stage still writes", {}, async (stage, chain) => {
  const through = new ScriptedStage();
  chain.onResponse = (e) => {
    through.sink = e.transform(response, through, false);
    chain.onResponse = () => {};
  };
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  await stage.eventually("it is idle", () => stage.counter(Counter.originsIdle) === 1);
  const other = stage.client();
  other.write(GET);
  await backend.head();
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
  assert.equal((await other.message()).body, "other");
  through.sink!.write(asciiBytes(through.text.toUpperCase()));
  through.sink!.end();
  await client.head();
  assert.equal((await chunked(client)).toString(), "OK");
});

withChain("a response stage for HTTP/1.0 ends with the connection", {}, async (stage, chain) => {
  chain.onResponse = (e) => void slowStage(e, response, false);
  const client = stage.client();
  client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const backend = await stage.backend.next();
  await backend.head();
  backend.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const text = await client.rest();
  assert.match(text, /\r\nconnection: close\r\n/i);
  assert.doesNotMatch(text, /content-length|keep-alive/i);
  assert.ok(text.endsWith("\r\n\r\nok"));
});

for (const keeps of [false, true]) {
  const how = keeps ? " that keeps the length" : "";
  withChain(`a response stage${how} says all before its backend has`, {}, async (stage, chain) => {
    chain.onResponse = (e) => {
      const through = new ScriptedStage();
      through.sink = e.transform(response, through, keeps);
      through.onPiece = () => {
        through.sink!.write(asciiBytes("enough"));
        through.sink!.end();
        return true;
      };
    };
    const client = stage.client();
    client.write(GET);
    const backend = await stage.backend.next();
    await backend.head();
    backend.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    if (keeps) await client.broken();
    else {
      await client.head();
      assert.equal((await chunked(client)).toString(), "enough");
    }
    await backend.gone();
  });
}

async function staged(
  stage: Stage,
  chain: { onResponse: (e: Intercepted) => void },
  headBytes: number,
): Promise<{ through: ScriptedStage; client: RawPeer; backend: RawPeer }> {
  const through = new ScriptedStage();
  chain.onResponse = (e) => (through.sink = e.transform(response, through, false));
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write(`HTTP/1.1 200 OK\r\nContent-Length: ${headBytes}\r\n\r\nsome`);
  await stage.eventually("the stage is fed", () => through.fedBytes > 0);
  return { through, client, backend };
}

withChain("a response stage fails: the client sees that it was cut", {}, async (stage, chain) => {
  const { through, client, backend } = await staged(stage, chain, 100);
  through.sink!.write(asciiBytes("part"));
  await client.until("part");
  through.sink!.fail("hook_threw");
  await client.broken();
  await backend.gone();
  assert.deepEqual(stage.reasons, ["hook_threw"]);
});

withChain("the memory of what a request stage wrote goes away", {}, async (stage, chain) => {
  chain.onRequest = (e) => {
    const through = new ScriptedStage();
    through.sink = e.transform(request, through, false)!;
    through.onEnd = () => {
      writeAndTakeBack(through.sink!, "abc");
      through.sink!.end();
    };
  };
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  const backend = await stage.backend.next();
  assert.match((await client.message()).head, /^HTTP\/1\.1 500 /);
  await backend.gone();
  assert.deepEqual(stage.reasons, ["hook_threw"]);
});

withChain("the backend dies under a response stage", {}, async (stage, chain) => {
  const { through, client, backend } = await staged(stage, chain, 100);
  backend.reset();
  await client.broken();
  await stage.eventually("the stage is aborted", () => through.isAborted);
  assert.deepEqual(stage.reasons, ["response_cut"]);
});

withChain("the client leaves under a response stage", {}, async (stage, chain) => {
  const { through, client, backend } = await staged(stage, chain, 100);
  client.close();
  await stage.eventually("the stage is aborted", () => through.isAborted);
  await backend.gone();
  assert.equal(through.sink!.write(asciiBytes("late")), false);
});

withChain(
  "a response stage that keeps all for itself is cut",
  { timeouts: { responseBodyIdleMs: 60 } },
  async (stage, chain) => {
    const { through, client } = await staged(stage, chain, 4);
    await client.broken();
    assert.ok(through.hasEnded);
    assert.deepEqual(stage.reasons, ["hook_stalled"]);
  },
);

withChain(
  "a request stage that keeps all for itself is answered 500",
  { timeouts: { responseBodyIdleMs: 60 } },
  async (stage, chain) => {
    chain.onRequest = (e) => void e.transform(request, new ScriptedStage(), false);
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert.match((await client.message()).head, /^HTTP\/1\.1 500 [\s\S]*details="hook_stalled"/);
  },
);

withChain("a request stage is told when the backend answers early", {}, async (stage, chain) => {
  const through = new ScriptedStage();
  chain.onRequest = (e) => (through.sink = e.transform(request, through, false));
  const client = stage.client();
  client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello");
  const backend = await stage.backend.next();
  await backend.head();
  backend.write("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
  assert.match((await client.message()).head, /^HTTP\/1\.1 413/);
  await stage.eventually("the stage is aborted", () => through.isAborted);
  client.end();
  await client.gone();
});
