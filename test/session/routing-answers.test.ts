/** Requests that a route answers itself, redirects or turns away, over real connections. */
import assert from "node:assert/strict";
import { parseNetwork } from "../../src/base/ip-address.ts";
import { Counter } from "../../src/contract/counters.ts";
import type { ErrorPage, Route, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import { onEachEngine } from "./stage.ts";

const GET = "GET / HTTP/1.1";
const HOST = "Host: h.example:81";
const LOOPBACK = parseNetwork("127.0.0.0/8")!;
const ELSEWHERE = parseNetwork("10.0.0.0/8")!;

const routing = (...routes: Route[]): Routing => ({ routes });
const text = (lines: readonly string[]) => `${lines.join("\r\n")}\r\n\r\n`;

interface Answered {
  readonly name: string;
  readonly routing: Routing;
  readonly errorPages?: readonly ErrorPage[];
  readonly request: readonly string[];
  readonly status: number;
  readonly gets?: readonly string[];
  readonly getsNot?: RegExp;
  readonly body?: string;
  /** Reason in the log; none: it is no failure. */
  readonly reason?: string;
  readonly counter?: Counter;
}

const redirect = (location: string, path = "", status = 308) =>
  routing(route(path, { action: { kind: "redirect", status, location } }));

const ANSWERED: readonly Answered[] = [
  {
    name: "no route: 404",
    routing: routing(route("/a")),
    request: ["GET /b HTTP/1.1", HOST],
    status: 404,
    gets: ['Proxy-Status: test; error=destination_not_found; details="no_route"'],
    body: "Nothing is configured for this host and path.\n",
    reason: "no_route",
    counter: Counter.errorNoRoute,
  },
  {
    name: "a redirect with variables",
    routing: redirect("https://$host$target"),
    request: ["GET /a?b HTTP/1.1", HOST],
    status: 308,
    gets: ["Location: https://h.example/a?b", "Content-Length: 0"],
    getsNot: /Connection/,
  },
  {
    name: "a redirect to parts of the path",
    routing: redirect(`/new/$1/$${"{id}"}`, "/old/:id", 301),
    request: ["GET /old/7 HTTP/1.1", HOST],
    status: 301,
    gets: ["Location: /new/7/7"],
  },
  {
    name: "a redirect to a path of the client is not one to another host",
    routing: redirect("/$rest", "/old/*rest", 302),
    request: ["GET /old//evil.example/x HTTP/1.1", HOST],
    status: 302,
    gets: ["Location: /evil.example/x"],
  },
  {
    name: "nor with two backslashes",
    routing: redirect("$rest", "/old/*rest", 302),
    request: ["GET /old/\\\\evil.example HTTP/1.1", HOST],
    status: 302,
    gets: ["Location: /evil.example"],
  },
  {
    name: "nor with a backslash",
    routing: redirect("$path", "", 302),
    request: ["GET /\\evil.example HTTP/1.1", HOST],
    status: 302,
    gets: ["Location: /evil.example"],
  },
  {
    name: "a response of the configuration",
    routing: routing(
      route("/robots.txt", {
        action: {
          kind: "respond",
          answer: { status: 200, fields: [{ name: "Content-Type", value: "text/plain" }], body: "Grüße\n" },
        },
      }),
    ),
    request: ["GET /robots.txt HTTP/1.1", HOST],
    status: 200,
    gets: ["Content-Type: text/plain", "Content-Length: 8"],
    body: Buffer.from("Grüße\n").toString("latin1"),
  },
  {
    name: "a response without content",
    routing: routing(
      route("", { action: { kind: "respond", answer: { status: 204, fields: [], body: "" } } }),
    ),
    request: [GET, HOST],
    status: 204,
    getsNot: /Content-Length/,
  },
  {
    name: "a long response",
    routing: routing(
      route("", {
        action: { kind: "respond", answer: { status: 200, fields: [], body: "x".repeat(40_000) } },
      }),
    ),
    request: [GET, HOST],
    status: 200,
    body: "x".repeat(40_000),
  },
  {
    name: "a client that is denied: 403",
    routing: routing(route("", { deny: [ELSEWHERE, LOOPBACK] })),
    request: [GET, HOST],
    status: 403,
    reason: "client_denied",
    counter: Counter.errorPolicy,
  },
  {
    name: "a client that is not among those allowed: 403, with the page of its route",
    routing: routing(
      route("", {
        allow: [ELSEWHERE],
        errorPages: [{ status: 403, contentType: "text/html", body: "<p>no" }],
      }),
    ),
    request: [GET, HOST],
    status: 403,
    gets: ["Content-Type: text/html", "Content-Length: 5"],
    body: "<p>no",
    reason: "client_denied",
  },
  {
    name: "a route for other clients does not match",
    routing: routing(route("", { clients: [ELSEWHERE] })),
    request: [GET, HOST],
    status: 404,
    reason: "no_route",
  },
  {
    name: "a redirect that would be too long: 414",
    routing: redirect("$target".repeat(9)),
    request: [`GET /${"a".repeat(8000)} HTTP/1.1`, HOST],
    status: 414,
    gets: ['Proxy-Status: test; error=http_request_error; details="location_too_long"'],
    reason: "location_too_long",
    counter: Counter.errorTargetTooLong,
  },
  {
    name: "a page for what has no route",
    routing: routing(),
    errorPages: [{ status: 404, contentType: "text/html", body: "<p>gone" }],
    request: [GET, HOST, "Accept: application/json"],
    status: 404,
    gets: ["Content-Type: text/html"],
    body: "<p>gone",
    reason: "no_route",
  },
];

for (const { name, request, status, gets = [], getsNot, body, reason, counter, ...row } of ANSWERED) {
  onEachEngine(`routes: ${name}`, row, async (stage) => {
    const client = stage.client();
    // Twice: the connection goes on behind an answer of ours.
    for (let i = 0; i < 2; i++) {
      client.write(text(request));
      const got = await client.message();
      assert.match(got.head, new RegExp(`^HTTP/1.1 ${status} [A-Z]`));
      assert.match(got.head, /\r\nDate: /);
      for (const line of gets) assert.ok(got.head.includes(`\r\n${line}\r\n`), `${line} in ${got.head}`);
      if (getsNot !== undefined) assert.doesNotMatch(got.head, getsNot);
      if (body !== undefined) assert.equal(got.body, body);
    }
    assert.deepEqual(stage.reasons, reason === undefined ? [] : [reason, reason]);
    if (counter !== undefined) assert.equal(stage.counter(counter), 2);
    assert.equal(stage.backend.peers.length, 0);
  });
}

const RESPOND = routing(
  route("", { action: { kind: "respond", answer: { status: 200, fields: [], body: "hi" } } }),
);

onEachEngine("routes: an answer of ours to HEAD has no content", { routing: RESPOND }, async (stage) => {
  const client = stage.client();
  client.write(text(["HEAD / HTTP/1.1", HOST, "Connection: close"]));
  const all = await client.rest();
  assert.match(all, /\r\nContent-Length: 2\r\n/);
  assert.match(all, /\r\nConnection: close\r\n/);
  assert.ok(all.endsWith("\r\n\r\n"), all);
});

onEachEngine(
  "routes: an answer of ours skips a body that is here, and ends before one that is not",
  { routing: RESPOND },
  async (stage) => {
    const client = stage.client();
    client.write(`${text(["POST / HTTP/1.1", HOST, "Content-Length: 3"])}abc${text([GET, HOST])}`);
    await client.message();
    await client.message();
    client.write(text(["POST / HTTP/1.1", HOST, "Content-Length: 3"]));
    const all = await client.rest();
    assert.match(all, /\r\nConnection: close\r\n/);
  },
);
