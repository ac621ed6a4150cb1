// Invariant: whatever a client or a backend sends, in whatever pieces, what leaves the proxy is canonical; a
// backend sees the client's requests in order and no others; a client sees each answer with its request; and
// every slot comes home.
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import type { Policy } from "../../src/contract/snapshot.ts";
import { Desk, type DeskConnection } from "./desk.ts";
import { inPieces, pieceSizes, requestStream, responseStream } from "./grammar.ts";
import { requestsByLlhttp, responsesByLlhttp } from "./llhttp.ts";
import { requestsByUs, responsesByUs } from "./our-reader.ts";
import type { Seen } from "./reading.ts";
import { runs } from "./runs.ts";
import { readStrictly, type StrictRequest } from "./strict-reader.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/** A slot for the addresses of clients stays. */
const SMALL_SLOTS_KEPT = 1;

const policy: fc.Arbitrary<Partial<Policy>> = fc.record(
  {
    rejectEncodedSlashes: fc.boolean(),
    rejectDotSegments: fc.boolean(),
    rejectEncodedNul: fc.boolean(),
    underscoreNames: fc.constantFrom("drop", "reject"),
    traceMethod: fc.constantFrom("reject", "pass"),
    requestId: fc.constantFrom("off", "keep", "generate"),
    forwarded: fc.boolean(),
    halfClosedClients: fc.constantFrom("abort", "serve"),
  },
  { requiredKeys: [] },
);

test("requests: a backend sees what the client asked for, in canonical form, and nothing else", () => {
  let forwardedCount = 0;
  const property = fc.property(requestStream, pieceSizes, policy, (stream, sizes, rules) => {
    const desk = new Desk(rules);
    answerAll(desk);
    const client = desk.client();
    for (const piece of inPieces(stream, sizes)) desk.receive(client, piece);
    const forwarded = desk.origins.flatMap((origin) => requestsOn(origin));
    forwardedCount += forwarded.length;
    const asked = requestsByUs(stream).messages;
    sameInOrder(forwarded, asked);
    const methods = asked.map(({ method }) => method);
    // What was refused may have been a HEAD, as far as it could be read.
    const readings = ["GET", "HEAD"].map((last) => responsesByLlhttp(client.sent, [...methods, last]));
    const answers = readings.find(({ fault }) => fault === "");
    assert.ok(answers, `what the client gets: ${JSON.stringify(client.sent)}, ${readings[0]!.fault}`);
    const finals = answers.messages.filter(({ status }) => status >= 200);
    assert.ok(finals.length <= asked.length + 1, "no more answers than requests, and one refusal");
    leave(desk);
  });
  fc.assert(property, runs(1500));
  assert.ok(forwardedCount > 0);
});

/** A backend that answers each complete request, one at a time. */
function answerAll(desk: Desk): void {
  const answered = new Map<DeskConnection, number>();
  desk.onForwarded = (origin) => {
    const done = answered.get(origin) ?? 0;
    const { requests } = readStrictly(origin.sent);
    assert.ok(requests.length <= done + 1, "a request is not sent before the one in front is answered");
    if (requests.length === done) return;
    answered.set(origin, requests.length);
    const last = requests.at(-1)!;
    desk.receive(origin, last.method === "HEAD" ? OK.slice(0, -2) : OK);
  };
}

/** What went over one connection to a backend, by two readers that must agree. */
function requestsOn(origin: DeskConnection): StrictRequest[] {
  const { requests, complaint } = readStrictly(origin.sent);
  assert.equal(complaint, "", JSON.stringify(origin.sent));
  const seen = requestsByLlhttp(origin.sent).messages.filter(({ complete }) => complete);
  if (requests.every(({ method }) => METHODS.includes(method))) {
    assert.deepEqual(
      seen.map(({ method, target, body }) => ({ method, target, body })),
      requests.map(({ method, target, body }) => ({ method, target, body })),
    );
  }
  return requests;
}

/** Each forwarded request is one that was asked for, in the order of asking, and none twice. */
function sameInOrder(forwarded: readonly StrictRequest[], asked: readonly Seen[]): void {
  let from = 0;
  for (const { method, target, host, body } of forwarded) {
    const at = asked.findIndex(
      (other, index) =>
        index >= from &&
        other.complete &&
        other.method === method &&
        pathOf(other) === target &&
        other.body === body &&
        hostOf(other) === host,
    );
    assert.ok(at >= 0, `nobody asked for ${JSON.stringify({ method, target, host, body })}`);
    from = at + 1;
  }
}

const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/is;

function pathOf({ method, target }: Seen): string {
  const rest = ABSOLUTE.exec(target)?.[2];
  if (rest === undefined) return target;
  if (rest === "") return method === "OPTIONS" ? "*" : "/";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function hostOf({ target, fields }: Seen): string {
  return ABSOLUTE.exec(target)?.[1] ?? fields.find(([name]) => name.toLowerCase() === "host")?.[1] ?? "";
}

function leave(desk: Desk): void {
  desk.breakAll();
  const [large, small] = desk.slotsHeld;
  assert.equal(large, 0, "every large slot is home");
  assert.ok(small <= SMALL_SLOTS_KEPT, "every small slot is home");
}

const ASKED = ["/0", "/1", "/2"];

test("responses: a client sees each answer with its request, in canonical form, and nothing else", () => {
  const property = fc.property(
    responseStream,
    pieceSizes,
    fc.constantFrom("GET", "HEAD", "POST"),
    fc.boolean(),
    fc.boolean(),
    (stream, sizes, method, ends, isPipelined) => {
      const desk = new Desk();
      const poisoned = answerWith(desk, isPipelined ? [stream] : inPieces(stream, sizes), ends);
      const client = desk.client();
      const request = (target: string) =>
        `${target === "/0" ? method : "GET"} ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n`;
      if (isPipelined) desk.receive(client, ASKED.map(request).join(""));
      else for (const target of ASKED) desk.receive(client, request(target));
      const answers = responsesByLlhttp(client.sent, [method, "GET", "GET"]);
      const context = JSON.stringify({ got: client.sent, fault: answers.fault, asked: poisoned.length });
      const finals = answers.messages.filter(({ status }) => status >= 200 || status === 101);
      const cut = client.closed && finals.at(-1)?.complete === false;
      if (!cut && client.ended) assert.equal(answers.fault, "", context);
      assert.ok(finals.length <= ASKED.length, context);
      firstAnswer(finals[0], stream, method, context);
      for (const [index, answer] of finals.slice(1).entries()) {
        const good = answer.fields.some(([name, value]) => name === "X-Good" && value === `${index + 1}`);
        assert.ok(good || (answer.status >= 502 && answer.status <= 504), context);
      }
      for (const { sent } of desk.origins) {
        const { requests } = readStrictly(sent);
        if (requests[0]?.target === "/0" && requests.length > 1) nothingBehind(stream, method, context);
      }
      leave(desk);
    },
  );
  fc.assert(property, runs(1500));
});

/** A backend that answers `/0` with `pieces`, and everything else as it should. */
function answerWith(desk: Desk, pieces: readonly string[], ends: boolean): string[] {
  const answered = new Map<DeskConnection, number>();
  const seen: string[] = [];
  desk.onForwarded = (origin) => {
    const { requests } = readStrictly(origin.sent);
    const done = answered.get(origin) ?? 0;
    if (requests.length === done) return;
    answered.set(origin, requests.length);
    const { target } = requests.at(-1)!;
    seen.push(target);
    if (target !== "/0") {
      const good = `HTTP/1.1 200 OK\r\nX-Good: ${target.slice(1)}\r\nContent-Length: 4\r\n\r\ngood`;
      desk.receive(origin, good);
      return;
    }
    for (const piece of pieces) desk.receive(origin, piece);
    if (ends) desk.end(origin);
  };
  return seen;
}

/** A connection is used again only if not a byte came behind the response. */
function nothingBehind(stream: string, method: string, context: string): void {
  const { messages } = responsesByUs(stream, [method]);
  const last = messages.findIndex(({ status }) => status >= 200);
  const responseBytes = messages
    .slice(0, last + 1)
    .reduce((sum, { raw, rawBody }) => sum + raw.length + rawBody.length, 0);
  assert.equal(responseBytes, stream.length, `a connection with poison in it is used again: ${context}`);
}

/** The answer to `/0`: what the backend said, if that was a response; else a 502, or nothing whole. */
function firstAnswer(answer: Seen | undefined, stream: string, method: string, context: string): void {
  if (answer === undefined) return;
  const said = responsesByUs(stream, [method]).messages.find(({ status }) => status >= 200 || status === 101);
  if (answer.status === 502 && (said === undefined || said.status !== 502)) return;
  if (said === undefined) assert.fail(`no response came: ${context}`);
  assert.equal(answer.status, said.status, context);
  if (!answer.complete) return;
  assert.ok(said.complete, context);
  assert.equal(answer.body, said.body, context);
}
