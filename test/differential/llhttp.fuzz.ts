// Invariant: what we accept, a strict llhttp accepts too, and it sees the same messages: method, target,
// version, every field, the body, and where each message ends.
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { after, test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { requestStream, responseStream } from "./grammar.ts";
import { requestsByLlhttp, responsesByLlhttp } from "./llhttp.ts";
import { requestsByUs, responsesByUs } from "./our-reader.ts";
import type { Reading, Seen } from "./reading.ts";
import { runs } from "./runs.ts";

/** Streams compared, messages that both read alike, and how often each excuse was needed. */
const tally = { streams: 0, agreed: 0, excused: new Map<string, number>() };

after(() => {
  assert.ok(tally.agreed > tally.streams / 4, "most of what is generated gets far");
  if (process.env.FUZZ_RUNS !== undefined) console.log(tally);
});

test("requests: what we accept, llhttp accepts and sees the same way", () => {
  fc.assert(
    fc.property(requestStream, (stream) => {
      compare(requestsByUs(stream), requestsByLlhttp(stream));
    }),
    runs(10_000),
  );
});

test("responses: what we accept, llhttp accepts and sees the same way", () => {
  fc.assert(
    fc.property(responseStream, fc.array(fc.constantFrom("GET", "HEAD")), (stream, methods) => {
      compare(responsesByUs(stream, methods), responsesByLlhttp(stream, methods));
    }),
    runs(10_000),
  );
});

/** Where llhttp is stricter than the RFC, and why we do not follow. A disagreement ends the comparison there. */
const EXCUSES: readonly {
  readonly reason: string;
  readonly applies: (own: Seen, fault: string) => boolean;
}[] = [
  {
    reason: "a method is any token (RFC 9110 §9.1); llhttp knows a list",
    applies: ({ method }, fault) => fault === "HPE_INVALID_METHOD" && !METHODS.includes(method),
  },
  {
    reason: "HTAB may end a field value (RFC 9110 §5.5); llhttp takes it for a part of the coding",
    applies: ({ raw }) => /^transfer-encoding:[ \t]*chunked[ \t]*\t[ \t]*$/im.test(raw),
  },
  {
    reason:
      "a field of the connection means nothing in a trailer section (RFC 9110 §6.5.1); llhttp obeys or refuses it",
    applies: ({ rawBody }) =>
      /^0+[^\r\n]*\r\n(.*\r\n)*(content-length|transfer-encoding|connection|proxy-connection|upgrade):/im.test(
        rawBody,
      ),
  },
  {
    reason:
      "whitespace may stand around parts of a chunk extension (RFC 9112 §7.1.1), dropped here; llhttp refuses it",
    applies: ({ rawBody }, fault) =>
      /^HPE_(STRICT|INVALID_CHUNK_SIZE)$/.test(fault) &&
      /^[0-9a-f]+[ \t]*;.*[ \t]|^[0-9a-f]+[ \t]+;/im.test(rawBody),
  },
  {
    reason:
      "an Upgrade in HTTP/1.0 or to HTTP/2 is not passed on (RFC 9110 §7.8); llhttp would change protocols",
    applies: ({ raw, upgrade }) => !upgrade && /^upgrade:/im.test(raw),
  },
  {
    reason:
      "an interim response has no body and is not the last (RFC 9110 §15.2); llhttp believes its fields",
    applies: ({ status }) => status >= 100 && status < 200,
  },
  {
    reason: "a proxy does not obey Proxy-Connection (RFC 9112 C.2.2); llhttp does",
    applies: ({ raw }) => /^proxy-connection:/im.test(raw),
  },
];

function compare(ours: Reading, theirs: Reading): void {
  tally.streams++;
  for (const [index, own] of ours.messages.entries()) {
    const isLast = index === ours.messages.length - 1;
    const other = theirs.messages[index];
    const whyNot = disagreement(own, other, isLast && ours.fault !== "");
    if (whyNot !== "") {
      // A message that does not come may be owed to how the one before was read.
      const cause =
        other === undefined && theirs.fault === "HPE_CLOSED_CONNECTION" ? ours.messages[index - 1]! : own;
      const excuse = EXCUSES.find(({ applies }) => applies(cause, theirs.fault));
      assert.ok(excuse, `${whyNot}; llhttp: ${theirs.fault}; ${inspect({ ours, theirs }, { depth: 5 })}`);
      const { excused } = tally;
      excused.set(excuse.reason, (excused.get(excuse.reason) ?? 0) + 1);
      return;
    }
    tally.agreed++;
    if (own.method === "CONNECT" || own.status === 101 || !own.persists) return;
  }
  if (ours.fault === "")
    assert.ok(theirs.messages.length <= ours.messages.length, "llhttp sees more messages");
}

/** How two readers differ about a message that one of them accepted; "" when they agree. */
function disagreement(own: Seen, other: Seen | undefined, isFaulty: boolean): string {
  if (other === undefined) return "llhttp refuses what we accept";
  for (const key of ["method", "status", "target", "version"] as const) {
    if (own[key] !== other[key]) return key;
  }
  if (!isDeepStrictEqual(own.fields, other.fields)) return "fields";
  if (own.status === 0 && own.upgrade !== other.upgrade) return "upgrade";
  // What follows CONNECT has no meaning (RFC 9110 §9.3.6), and what follows 101 depends on the request.
  if (isFaulty || own.method === "CONNECT" || own.status === 101) return "";
  if (own.complete !== other.complete) return "completeness";
  if (own.body !== other.body) return "body";
  // Whether a response is the last one llhttp says before it is told of HEAD; there the next message tells.
  return own.persists && !other.persists && own.status === 0 ? "we go on where llhttp ends" : "";
}
