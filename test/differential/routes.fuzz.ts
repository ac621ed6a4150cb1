// Invariant: whatever a client sends, routes that write what it sent into targets, fields and locations leave
// every message canonical: one request stays one, one answer stays one, and every slot comes home.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Route, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import { Desk, type DeskConnection } from "./desk.ts";
import { inPieces, pieceSizes, requestStream } from "./grammar.ts";
import { requestsByUs, responsesByUs } from "./our-reader.ts";
import { runs } from "./runs.ts";
import { readStrictly } from "./strict-reader.ts";

const OK = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok";
const SMALL_SLOTS_KEPT = 1;
const ALL = "$method $authority $host $path $query $target $scheme $client_address $request_id";

const write: Partial<Route> = {
  requestFields: [
    { kind: "set", name: "X-All", value: ALL },
    { kind: "set", name: "Host", value: "$host" },
    { kind: "remove", name: "Cookie", value: "" },
    { kind: "remove", name: "A", value: "" },
  ],
  responseFields: [
    { kind: "set", name: "X-A", value: ALL },
    { kind: "add", name: "Vary", value: "Host" },
  ],
};
const forward: fc.Arbitrary<Route> = fc.constantFrom(
  route("", write),
  route("/*all", { ...write, rewrite: { kind: "template", text: "/to/$all" } }),
  route("/:one/*rest", { rewrite: { kind: "template", text: "/$rest/$one?x=$rest" } }),
  route("regex /([^/]*)(/.*)?", { rewrite: { kind: "template", text: "/r$2$1" } }),
  route("prefix /", { rewrite: { kind: "prefix", from: "", to: "/under" } }),
);
const local: fc.Arbitrary<Route> = fc.constantFrom(
  route("/*all", { action: { kind: "redirect", status: 308, location: "/$all" } }),
  route("", { action: { kind: "redirect", status: 302, location: `https://$authority$target` } }),
  route("", { action: { kind: "respond", answer: { status: 200, fields: [], body: "hello" } } }),
);
const method = fc.constantFrom<string[]>([], ["GET"], ["POST"]);
const routing: fc.Arbitrary<Routing> = fc
  .array(
    fc
      .tuple(fc.oneof({ weight: 3, arbitrary: forward }, local), method)
      .map(([base, methods]) => ({ ...base, methods })),
    { maxLength: 4 },
  )
  .map((routes) => ({ routes }));

test("routes: what they write is canonical, whatever the client sent", () => {
  let forwardedCount = 0;
  const property = fc.property(requestStream, pieceSizes, routing, (stream, sizes, rules) => {
    const desk = new Desk({ requestId: "generate" }, { routing: rules });
    const answered = new Map<DeskConnection, number>();
    desk.onForwarded = (origin) => {
      const { requests } = readStrictly(origin.sent);
      if (requests.length === (answered.get(origin) ?? 0)) return;
      answered.set(origin, requests.length);
      desk.receive(origin, requests.at(-1)!.method === "HEAD" ? OK.slice(0, -2) : OK);
    };
    const client = desk.client();
    for (const piece of inPieces(stream, sizes)) desk.receive(client, piece);
    const asked = requestsByUs(stream).messages;
    const forwarded = desk.origins.flatMap((origin) => {
      const { requests, complaint } = readStrictly(origin.sent);
      assert.equal(complaint, "", JSON.stringify(origin.sent));
      return requests;
    });
    forwardedCount += forwarded.length;
    assert.ok(forwarded.length <= asked.length, "no more requests than were asked");
    for (const { target } of forwarded) assert.match(target, /^(?:\/|\*$)/);
    const methods = asked.map((each) => each.method);
    const readings = ["GET", "HEAD"].map((last) => responsesByUs(client.sent, [...methods, last]));
    const answers = readings.find(({ fault }) => fault === "");
    assert.ok(answers, `what the client gets: ${JSON.stringify(client.sent)}`);
    const finals = answers.messages.filter(({ status }) => status >= 200);
    assert.ok(finals.length <= asked.length + 1, "no more answers than requests, and one refusal");
    desk.breakAll();
    const [large, small] = desk.slotsHeld;
    assert.equal(large, 0);
    assert.ok(small <= SMALL_SLOTS_KEPT);
  });
  fc.assert(property, runs(1500));
  assert.ok(forwardedCount > 0);
});
