/** Which route a request gets. The winner of each case stands in `routes` with the losers, in no helpful order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, request, route } from "../../test/route/asking.ts";
import { parseIp, parseNetwork } from "../base/ip-address.ts";
import type { Route } from "../contract/routing.ts";
import { NO_ROUTE, RouteTable } from "./route-table.ts";

interface Case {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Request line, what follows are field lines; and index of its route. */
  readonly asks: readonly (readonly [readonly [string, ...string[]], number])[];
  readonly address?: string;
}

const on = (host: string | string[], path = "", changes: Partial<Route> = {}) =>
  route(path, { hosts: typeof host === "string" ? [host] : host, ...changes });
const host = (name: string, target = "/"): [string, string] => [`GET ${target}`, `Host: ${name}`];
const get = (target: string): [string] => [`GET ${target}`];

const CASES: readonly Case[] = [
  {
    name: "host: exact before the longest wildcard before any",
    routes: [route(""), on("*.example.com"), on("*.b.example.com"), on("a.b.example.com")],
    asks: [
      [host("a.b.example.com"), 3],
      [host("x.b.example.com"), 2],
      [host("x.y.b.example.com"), 2],
      [host("b.example.com"), 1],
      [host("example.com"), 0],
      [host(".example.com"), 0],
      [host("xexample.com"), 0],
    ],
  },
  {
    name: "host: case, port and a dot at the end do not count",
    routes: [on("example.com"), on("[::1]"), on("10.0.0.1")],
    asks: [
      [host("EXAMPLE.com"), 0],
      [host("example.com:8080"), 0],
      [host("example.com.:80"), 0],
      [host("example.com:"), 0],
      [host("[::1]:80"), 1],
      [host("10.0.0.1"), 2],
      [host("10.0.0.1:1"), 2],
      [host("example.com1"), NO_ROUTE],
      [host("xample.com"), NO_ROUTE],
    ],
  },
  {
    name: "host: an absolute-form target counts, not Host (RFC 9112 §3.2.2)",
    routes: [on("a"), on("b")],
    asks: [[["GET http://a:80/", "Host: b"], 0]],
  },
  {
    name: "host: a less specific one serves what the more specific one has no route for",
    routes: [on("*.a.b", "/x"), on("c.a.b", "/y"), route("/z")],
    asks: [
      [host("c.a.b", "/x"), 0],
      [host("c.a.b", "/y"), 1],
      [host("c.a.b", "/z"), 2],
      [host("c.a.b", "/"), NO_ROUTE],
    ],
  },
  {
    name: "host: several of one route",
    routes: [on(["a", "*.b"])],
    asks: [
      [host("a"), 0],
      [host("x.b"), 0],
      [host("b"), NO_ROUTE],
    ],
  },
  {
    name: "path: exact before template before prefix before regex before any",
    routes: [route(""), route("regex /a/.*"), route("prefix /a"), route("/a/:x"), route("/a/b")],
    asks: [
      [get("/a/b"), 4],
      [get("/a/b?q"), 4],
      [get("/a/c"), 3],
      [get("/a/c/d"), 2],
      [get("/b"), 0],
    ],
  },
  {
    name: "path: a regex where no prefix matches",
    routes: [route(""), route("regex /a/.*")],
    asks: [
      [get("/a/b"), 1],
      [get("/a"), 0],
    ],
  },
  {
    name: "path: a prefix ends at a segment, and the longest wins",
    routes: [route("prefix /"), route("prefix /api"), route("prefix /api/v1")],
    asks: [
      [get("/api"), 1],
      [get("/api/"), 1],
      [get("/api?x"), 1],
      [get("/apis"), 0],
      [get("/api/v1/x"), 2],
      [get("/api/v10"), 1],
      [get("/"), 0],
    ],
  },
  {
    name: "path: templates: literal segments, then no tail, then more segments, then a literal further left",
    routes: [
      route("/a/*rest"),
      route("/a/:b"),
      route("/a/:b/*rest"),
      route("/a/:b/c"),
      route("/:a/b/c"),
      route("/:a/:b"),
      route("/*rest"),
    ],
    asks: [
      [get("/a/x"), 1],
      [get("/a/"), 0],
      [get("/a"), 6],
      [get("/a/b/c"), 3],
      [get("/a/b/d"), 2],
      [get("/z/b/c"), 4],
      [get("/z/y"), 5],
      [get("/z/y/x"), 6],
      [get("/"), 6],
    ],
  },
  {
    name: "path: a template whose literal branch ends nowhere",
    routes: [route("/a/b/c"), route("/a/:x/d"), route("/:y/b/e")],
    asks: [
      [get("/a/b/d"), 1],
      [get("/a/b/e"), 2],
      [get("/a/b/f"), NO_ROUTE],
    ],
  },
  {
    name: "path: a parameter is a segment that is not empty; slashes count",
    routes: [route("/u/:id"), route("/v/:id/")],
    asks: [
      [get("/u/"), NO_ROUTE],
      [get("/u/1/"), NO_ROUTE],
      [get("/v/1/"), 1],
      [get("/v/1"), NO_ROUTE],
      [get("//u/1"), NO_ROUTE],
    ],
  },
  {
    name: "path: compared as received: no decoding, no case",
    routes: [route("/a b".replace(" ", "%20")), route("/A")],
    asks: [
      [get("/a%20b"), 0],
      [get("/%61%20b"), NO_ROUTE],
      [get("/a"), NO_ROUTE],
      [get("/A"), 1],
    ],
  },
  {
    name: "path: an absolute-form target without a path is / (RFC 9112 §3.2.1)",
    routes: [route("/"), route("")],
    asks: [
      [["GET http://x"], 0],
      [["GET http://x?q"], 0],
      [["OPTIONS http://x"], 1],
      [["OPTIONS *"], 1],
      [["GET http://x/"], 0],
    ],
  },
  {
    name: "path: regexes of two hosts in the order of each",
    routes: [on("a", "regex /x.*"), on("a", "regex /.*y"), on("b", "regex /.*y"), on("b", "regex /x.*")],
    asks: [
      [host("a", "/xy"), 0],
      [host("b", "/xy"), 2],
    ],
  },
  {
    name: "path: regexes in the order of the file, equal ones by conditions",
    routes: [route("regex /.+"), route("regex /a+"), route("regex /.+", { methods: ["PUT"] })],
    asks: [
      [get("/aa"), 0],
      [["PUT /aa"], 2],
    ],
  },
  {
    name: "conditions: more of them first, then the order of the file",
    routes: [
      route("/"),
      route("/", { fields: [conditionOf("x-a")] }),
      route("/", { fields: [conditionOf("x-a")], query: [conditionOf("q")] }),
      route("/", { cookies: [conditionOf("c")] }),
    ],
    asks: [
      [get("/"), 0],
      [["GET /", "X-A: 1"], 1],
      [["GET /", "X-A: 1", "Cookie: c"], 1],
      [["GET /?q", "X-A: 1"], 2],
      [["GET /?q", "Cookie: c=1"], 3],
    ],
  },
  {
    name: "conditions: a more specific path whose conditions fail leaves the request to others",
    routes: [route("/a", { methods: ["POST"] }), route("/:x", { methods: ["PUT"] }), route("prefix /a")],
    asks: [
      [["POST /a"], 0],
      [["PUT /a"], 1],
      [get("/a"), 2],
    ],
  },
  {
    name: "methods: known ones and others, upper and lower case differ",
    routes: [route("", { methods: ["GET", "PURGE"] })],
    asks: [
      [["GET /"], 0],
      [["PURGE /"], 0],
      [["HEAD /"], NO_ROUTE],
      [["PURGED /"], NO_ROUTE],
      [["purge /"], NO_ROUTE],
      [["other /"], NO_ROUTE],
    ],
  },
  {
    name: "header fields: present, exact, prefix, regex; any line will do; names in any case",
    routes: [
      route("/1", { fields: [conditionOf("x-a")] }),
      route("/2", { fields: [conditionOf("x-a=one")] }),
      route("/3", { fields: [conditionOf("x-a^=on")] }),
      route("/4", { fields: [conditionOf("x-a~=o(n|x)e")] }),
    ],
    asks: [
      [["GET /1", "x-A:"], 0],
      [["GET /1", "x-ab: 1"], NO_ROUTE],
      [["GET /2", "X-A: two", "X-A:  one "], 1],
      [["GET /2", "X-A: One"], NO_ROUTE],
      [["GET /3", "X-A: once"], 2],
      [["GET /4", "X-A: oxe"], 3],
      [["GET /4", "X-A: oxen"], NO_ROUTE],
    ],
  },
  {
    name: "query: names and values between & and =",
    routes: [route("/1", { query: [conditionOf("a")] }), route("/2", { query: [conditionOf("a=b")] })],
    asks: [
      [get("/1?a"), 0],
      [get("/1?b=a&a=1"), 0],
      [get("/1?ab=1"), NO_ROUTE],
      [get("/1"), NO_ROUTE],
      [get("/2?x&a=b"), 1],
      [get("/2?a=b#".replace("#", "c")), NO_ROUTE],
      [get("/2?a"), NO_ROUTE],
    ],
  },
  {
    name: "cookies: names and values between ; and =, in any line",
    routes: [route("/1", { cookies: [conditionOf("a")] }), route("/2", { cookies: [conditionOf("a=b")] })],
    asks: [
      [["GET /1", "Cookie: x=1; a=2"], 0],
      [["GET /1", "Cookie: xa=1"], NO_ROUTE],
      [["GET /2", "Cookie: a=c", "Cookie: y;a=b ;z"], 1],
      [["GET /2", "Cookie: x=a=b"], NO_ROUTE],
    ],
  },
  {
    name: "client: in one of the networks",
    address: "10.1.2.3",
    routes: [
      route("/1", { clients: [parseNetwork("10.0.0.0/8")!] }),
      route("/2", { clients: [parseNetwork("::1")!, parseNetwork("192.0.2.0/24")!] }),
    ],
    asks: [
      [get("/1"), 0],
      [get("/2"), NO_ROUTE],
    ],
  },
  { name: "no routes at all", routes: [], asks: [[get("/"), NO_ROUTE]] },
];

for (const { name, routes, asks, address } of CASES) {
  test(`routes: ${name}`, () => {
    for (const seed of [0, 12_345, -1]) {
      const table = new RouteTable(routes, seed);
      for (const [[line, ...fields], expected] of asks) {
        const { memory, head } = request(line, ...fields);
        const found = table.match(memory, head, address === undefined ? null : parseIp(address)!);
        assert.equal(found, expected, [line, ...fields].join(" | "));
      }
    }
  });
}

test("routes: a client of which no address is known is in no network", () => {
  const { memory, head } = request("GET /");
  const table = new RouteTable([route("", { clients: [parseNetwork("::/0")!] })], 1);
  assert.equal(table.match(memory, head, null), NO_ROUTE);
});

test("routes: thousands of them are told apart", () => {
  const routes = Array.from({ length: 3000 }, (_, i) => on(`h${i % 100}.example`, `/a/${i}`));
  const table = new RouteTable(routes, 7);
  for (const i of [0, 1, 99, 100, 1234, 2999]) {
    const { memory, head } = request(`GET /a/${i}`, `Host: h${i % 100}.example`);
    assert.equal(table.match(memory, head, null), i);
  }
});
