/** Moments, edits and verdicts of hooks, in the call and from outside of a batch. */
import assert from "node:assert/strict";
import { asciiBytes } from "../../src/base/bytes.ts";
import { Counter } from "../../src/contract/counters.ts";
import { HeadOf, type Intercepted } from "../../src/contract/interception.ts";
import type { RawPeer } from "./raw-peer.ts";
import {
  answerWith,
  heldAt,
  requestHead,
  responseHead,
  ScriptedChain,
  setField,
  withChain,
} from "./scripted-chain.ts";
import { onEachEngine } from "./stage.ts";

const { request, response } = HeadOf;
const GET = "GET /a?b HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App: yes\r\n\r\nok";

withChain("every moment is told, in order", {}, async (stage, chain) => {
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write(OK);
  assert.equal((await client.message()).body, "ok");
  await stage.when("it is logged", () => chain.told.at(-1)?.startsWith("log") || undefined);
  assert.deepEqual(chain.told, ["request", "upstream", "response", "log 200"]);
});

withChain("what a chain sees of an exchange", {}, async (stage, chain) => {
  const seen: unknown[] = [];
  chain.onRequest = (e) => {
    seen.push(e.isLive, e.status, e.attempts, e.endpoint, e.cluster, e.clientAddress(), e.hasRequestBody);
    assert.match(requestHead(e), /^GET \/a\?b HTTP\/1\.1\r\nHost: h\r\n[\s\S]*\r\n\r\n$/);
    assert.equal(e.responseStart, -1);
  };
  chain.onUpstream = (e) => seen.push(e.attempts, e.endpoint);
  chain.onResponse = (e) => {
    seen.push(e.status, e.hasResponseBody, e.isEventStream);
    assert.match(responseHead(e), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
  };
  let last: { isLive: boolean } | undefined;
  chain.onLog = (e) => {
    last = e;
    seen.push(e.isLive, e.requestBodyBytes, e.responseBodyBytes, requestHead(e).slice(0, 5));
    e.edge = {
      ended: () => {
        seen.push("ended", e.isLive);
        return false;
      },
    };
  };
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write(OK);
  await client.message();
  const atRequest = [true, 0, 0, "", "main", "127.0.0.1", false];
  const atEnd = [true, 0, 2, "GET /", "ended", false];
  assert.deepEqual(seen, [...atRequest, 1, "backend-0", 200, true, false, ...atEnd]);
  assert.equal(last!.isLive, false);
});

withChain("fields of a request are set, added and removed", {}, async (stage, chain) => {
  chain.onRequest = (e) => {
    assert.ok(setField(e, request, "x-one", "new"));
    assert.ok(e.addField(request, asciiBytes("x-three"), asciiBytes("3")));
    assert.ok(e.removeField(request, asciiBytes("x-two")));
    assert.ok(e.setTarget(asciiBytes("/changed")));
    assert.ok(setField(e, request, "host", "other:81"));
    for (const name of ["content-length", "transfer-encoding", "connection", "te", "upgrade", "expect"]) {
      assert.equal(setField(e, request, name, "1"), false, name);
      assert.equal(e.removeField(request, asciiBytes(name)), false, name);
    }
    assert.equal(e.removeField(request, asciiBytes("host")), false);
    assert.equal(setField(e, request, "host", "a b"), false);
    assert.equal(setField(e, request, "X-Upper", "1"), false);
    assert.equal(setField(e, request, "a b", "1"), false);
    assert.equal(setField(e, request, "", "1"), false);
    assert.equal(setField(e, request, "x-evil", "1\r\nx: y"), false);
    assert.equal(setField(e, request, "x-evil", "\0"), false);
    for (const target of ["", "x", "/a b", "http://h/", "*", `/${"a".repeat(9000)}`]) {
      assert.equal(e.setTarget(asciiBytes(target)), false, target.slice(0, 9));
    }
    assert.equal(setField(e, response, "x", "1"), false);
    assert.equal(e.setStatus(200), false);
  };
  stage.client().write(GET);
  const head = await (await stage.backend.next()).head();
  assert.match(head, /^GET \/changed HTTP\/1\.1\r\n/);
  assert.match(head, /\r\nx-one: new\r\nx-three: 3\r\nhost: other:81\r\n\r\n$/);
  assert.doesNotMatch(head, /X-One|x-two|\r\nHost: h\r|evil/);
});

withChain("a body behind an edited head stays whole, in a larger slot too", {}, async (stage, chain) => {
  const value = "v".repeat(5000);
  chain.onUpstream = (e) => {
    assert.ok(setField(e, request, "x-large", value));
    assert.ok(e.setTarget(asciiBytes("/")));
  };
  const client = stage.client();
  client.write("POST /long/target HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  const backend = await stage.backend.next();
  const { head, body } = await backend.message();
  assert.match(head, /^POST \/ HTTP/);
  assert.ok(head.includes(`\r\nx-large: ${value}\r\n\r\n`));
  assert.equal(body, "hello");
  backend.write(OK);
  await client.message();
});

withChain("what does not fit is refused, and nothing has changed", {}, async (stage, chain) => {
  chain.onRequest = (e) => assert.equal(setField(e, request, "x-one", "v".repeat(70_000)), false);
  stage.client().write(GET);
  assert.match(await (await stage.backend.next()).head(), /\r\nX-One: 1\r\n/);
});

withChain("fields and status of a response are changed", {}, async (stage, chain) => {
  chain.onResponse = (e) => {
    assert.ok(setField(e, response, "x-app", "no"));
    assert.ok(e.removeField(response, asciiBytes("via")));
    assert.ok(setField(e, response, "x-large", "v".repeat(5000)));
    assert.equal(setField(e, response, "content-length", "9"), false);
    assert.equal(setField(e, request, "x", "1"), false);
    for (const status of [100, 199, 204, 205, 304, 600, 200.5]) assert.equal(e.setStatus(status), false);
    assert.ok(e.setStatus(418));
  };
  const client = stage.client();
  client.write(GET);
  const backend = await stage.backend.next();
  await backend.head();
  backend.write(OK);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 418 \r\n/);
  assert.match(head, /\r\nx-app: no\r\nx-large: v{5000}\r\n\r\n$/);
  assert.doesNotMatch(head, /via|X-App/);
  assert.equal(body, "ok");
  assert.equal(stage.counter(Counter.responses4xx), 1);
  assert.equal(stage.counter(Counter.responses2xx), 0);
});

for (const where of ["onRequest", "onUpstream", "onResponse"] as const) {
  withChain(`${where} answers in the call, and the connection goes on`, {}, async (stage, chain) => {
    chain[where] = (e) => answerWith(e, 401, "who?", "www-authenticate: Basic\r\n");
    const client = stage.client();
    for (let i = 0; i < 3; i++) {
      client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
      if (where === "onResponse") {
        const backend = await stage.backend.next();
        await backend.head();
        backend.write(OK);
      }
      const { head, body } = await client.message();
      assert.match(head, /^HTTP\/1\.1 401 Unauthorized\r\nwww-authenticate: Basic\r\n/);
      assert.match(head, /\r\nContent-Length: 4\r\nDate: [^\r]+\r\n\r\n$/);
      assert.equal(body, "who?");
    }
    assert.equal(stage.counter(Counter.responses4xx), 3);
    assert.equal(stage.counter(Counter.responses2xx), 0);
    assert.equal(stage.counter(Counter.originsOpen), 0);
    const told = chain.told.filter((moment) => moment.startsWith("log"));
    assert.deepEqual(told, ["log 401", "log 401", "log 401"]);
  });

  withChain(`${where} holds, and goes on from outside of a batch`, {}, async (stage, chain) => {
    const held = heldAt(stage, chain, where);
    const client = stage.client();
    client.write(GET.repeat(2));
    const exchange = where === "onResponse" ? undefined : await held;
    if (exchange !== undefined) {
      assert.equal(stage.backend.peers.length, 0, "no backend is connected");
      assert.ok(setField(exchange, request, "x-late", "yes"));
      exchange.proceed();
      assert.equal(setField(exchange, request, "x-late", "too"), false);
    }
    const backend = await stage.backend.next();
    assert.equal((await backend.head()).includes("\r\nx-late: yes\r\n"), where !== "onResponse");
    backend.write(OK);
    if (exchange === undefined) {
      const atResponse = await held;
      backend.write("");
      assert.ok(setField(atResponse, response, "x-late", "yes"));
      assert.equal(client.receivedBytes, 0);
      atResponse.proceed();
    }
    assert.equal((await client.message()).body, "ok");
    await backend.head();
    backend.write(OK);
    assert.equal((await client.message()).body, "ok");
    assert.equal(stage.backend.peers.length, 1, "the connection was used again");
  });

  withChain(`${where} holds, and answers from outside of a batch`, {}, async (stage, chain) => {
    const held = heldAt(stage, chain, where);
    const client = stage.client();
    client.write(GET.repeat(2));
    let backend = where === "onResponse" ? await stage.backend.next() : undefined;
    if (backend !== undefined) {
      await backend.head();
      backend.write(OK);
    }
    answerWith(await held, 403, "no");
    assert.match((await client.message()).head, /^HTTP\/1\.1 403 Forbidden\r\n/);
    if (backend !== undefined) await backend.gone();
    backend = await stage.backend.next();
    await backend.head();
    backend.write(OK);
    assert.match((await client.message()).head, /^HTTP\/1\.1 200 OK\r\n/);
  });

  withChain(`${where} holds, and fails`, {}, async (stage, chain) => {
    const held = heldAt(stage, chain, where);
    const client = stage.client();
    client.write(GET);
    if (where === "onResponse") {
      const backend = await stage.backend.next();
      await backend.head();
      backend.write(OK);
    }
    (await held).fail("hook_late");
    assert.match((await client.message()).head, /^HTTP\/1\.1 500 [\s\S]*details="hook_late"/);
    assert.deepEqual(stage.reasons, ["hook_late"]);
    assert.equal(stage.counter(Counter.errorHookLate), 1);
    assert.deepEqual(chain.told.slice(-2), ["error", "log 500 hook_late"]);
  });

  withChain(`${where} holds, and fails because of the client's body`, {}, async (stage, chain) => {
    const held = heldAt(stage, chain, where);
    const client = stage.client();
    client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf");
    if (where === "onResponse") {
      const backend = await stage.backend.next();
      await backend.head();
      backend.write(OK);
    }
    (await held).fail("body_late");
    assert.match((await client.message()).head, /^HTTP\/1\.1 408 [\s\S]*details="request_body_timeout"/);
    assert.deepEqual(stage.reasons, ["request_body_timeout"]);
    assert.equal(stage.counter(Counter.errorRequestBodyTimeout), 1);
    assert.equal(stage.counter(Counter.errorHookLate), 0);
    assert.deepEqual(chain.told.slice(-2), ["error", "log 408 request_body_timeout"]);
  });

  withChain(`the client leaves while ${where} holds`, {}, async (stage, chain) => {
    const held = heldAt(stage, chain, where);
    const client = stage.client();
    client.write(GET);
    if (where === "onResponse") {
      const backend = await stage.backend.next();
      await backend.head();
      backend.write(OK);
    }
    const exchange = await held;
    client.close();
    await stage.eventually("it is over", () => !exchange.isLive);
    assert.equal(chain.told.at(-1), "log 0 client_gone");
    exchange.proceed();
    exchange.fail("hook_threw");
    assert.equal(answerWith(exchange, 200, "late").write(asciiBytes("x")), false);
    assert.equal(setField(exchange, request, "x", "1"), false);
  });
}

withChain("an error gets another answer", { backends: 1 }, async (stage, chain) => {
  await stage.backend.kill();
  chain.onError = (e) => {
    assert.deepEqual([e.status, e.failureReason, e.failureBy], [502, "connect_refused", "origin"]);
    answerWith(e, 299, "sorry");
  };
  const client = stage.client();
  client.write(GET);
  const { head, body } = await client.message();
  assert.match(head, /^HTTP\/1\.1 299 \r\n/);
  assert.equal(body, "sorry");
  assert.deepEqual(
    stage.failures.map(({ status, phase }) => [status, phase]),
    [[299, "connect"]],
  );
  assert.deepEqual(chain.told.slice(-2), ["error", "log 299 connect_refused"]);
});

withChain("an error that is held is answered as usual when it goes on", {}, async (stage, chain) => {
  await stage.backend.kill();
  const held = heldAt(stage, chain, "onError");
  const client = stage.client();
  client.write(GET);
  (await held).proceed();
  assert.match((await client.message()).head, /^HTTP\/1\.1 502 [\s\S]*details="connect_refused"/);
  assert.deepEqual(
    stage.failures.map(({ status }) => status),
    [502],
  );
});

onEachEngine(
  "a chain that wants nothing but the log is told nothing else",
  { chain: () => new ScriptedChain(16) },
  async (stage) => {
    const client = stage.client();
    client.write(GET);
    const backend = await stage.backend.next();
    await backend.head();
    backend.write(OK);
    await client.message();
    assert.deepEqual((stage.chain as ScriptedChain).told, ["log 200"]);
  },
);

withChain("an exchange that nobody keeps serves another, unless it was held", {}, async (stage, chain) => {
  const seen: Intercepted[] = [];
  let isLet = true;
  let isHeld = false;
  chain.onRequest = (e) => {
    assert.deepEqual([e.edge, e.status, e.failureReason, e.responseBodyBytes], [null, 0, "", 0]);
    seen.push(e);
    e.edge = { ended: () => isLet };
    if (!isHeld) return;
    e.hold();
    e.proceed();
  };
  const client = stage.client();
  let backend: RawPeer | undefined;
  const exchangeOnce = async () => {
    client.write(GET);
    backend ??= await stage.backend.next();
    await backend.head();
    backend.write(OK);
    assert.equal((await client.message()).body, "ok");
    const count = seen.length;
    await stage.when(
      "it is logged",
      () => chain.told.filter((told) => told === "log 200").length === count || undefined,
    );
    return seen.at(-1)!;
  };
  const first = await exchangeOnce();
  assert.equal(await exchangeOnce(), first);
  isHeld = true;
  assert.equal(await exchangeOnce(), first);
  const afterHeld = await exchangeOnce();
  assert.notEqual(afterHeld, first);
  assert.equal(first.isLive, false);
  isHeld = false;
  isLet = false;
  const kept = await exchangeOnce();
  const next = await exchangeOnce();
  assert.notEqual(next, kept);
  assert.equal(kept.isLive, false);
});
