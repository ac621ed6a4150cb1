/** The tables find the route that asking every route finds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/differential/runs.ts";
import { conditionOf, request, route } from "../../test/route/asking.ts";
import { referenceMatch } from "../../test/route/reference.ts";
import { RouteTable } from "./route-table.ts";

// Few words, so that patterns and requests meet.
const label = fc.constantFrom("a", "b", "c");
const hostName = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const hostPattern = fc.oneof(
  hostName,
  hostName.map((name) => `*.${name}`),
);
const segment = fc.constantFrom("a", "b", "aa", "");
const segments = fc.array(segment, { minLength: 1, maxLength: 4 });
const literalPath = segments.map((parts) => `/${parts.join("/")}`);
const parameters = fc.array(fc.constantFrom("a", "b", ":x", ":y", ""), { minLength: 1, maxLength: 4 });
const template = fc
  .tuple(parameters, fc.boolean())
  .map(([parts, hasRest]) => `/${[...parts, ...(hasRest ? ["*z"] : [])].join("/")}`);
const prefix = fc
  .array(fc.constantFrom("a", "b"), { maxLength: 3 })
  .map((parts) => `prefix /${parts.join("/")}`);
const regex = fc.constantFrom("regex /a.*", "regex /(a|b)/?.*", "regex /[^/]+", "regex .*b");
const pathText = fc.oneof(literalPath, template, prefix, regex, fc.constant(""));

const value = fc.constantFrom("x", "y", "xy", "");
const condition = (name: string) =>
  fc.oneof(
    fc.constant(name),
    value.map((text) => `${name}=${text}`),
  );
const fieldCondition = fc.oneof(
  condition("f"),
  value.map((text) => `f^=${text}`),
  fc.constantFrom("f~=x.*", "f~=y?"),
);
const few = (texts: fc.Arbitrary<string>) =>
  fc.array(texts, { maxLength: 1 }).map((all) => all.map(conditionOf));

const anyRoute = fc
  .tuple(
    fc.uniqueArray(hostPattern, { maxLength: 2 }),
    pathText,
    fc.uniqueArray(fc.constantFrom("GET", "POST", "X"), { maxLength: 2 }),
    few(fieldCondition),
    few(condition("q")),
    few(condition("c")),
  )
  .map(([hosts, text, methods, fields, query, cookies]) =>
    route(text, { hosts, methods, fields, query, cookies }),
  );

const pairs = (name: string) =>
  fc.array(fc.tuple(fc.constantFrom(name, `${name}${name}`), value), { maxLength: 2 });
const anyRequest = fc.record({
  method: fc.constantFrom("GET", "POST", "X", "Y"),
  host: fc.tuple(hostName, fc.constantFrom("", ":80", ".", "", "")).map((parts) => parts.join("")),
  path: literalPath,
  query: pairs("q").map((all) => (all.length === 0 ? "" : `?${all.map((pair) => pair.join("=")).join("&")}`)),
  fields: fc
    .tuple(pairs("f"), pairs("c"))
    .map(([own, cookies]) => [
      ...own,
      ...(cookies.length === 0
        ? []
        : [["Cookie", cookies.map((pair) => pair.join("=")).join("; ")] as [string, string]]),
    ]),
});

test("routes: tables and a slow search find the same route", () => {
  fc.assert(
    fc.property(
      fc.array(anyRoute, { maxLength: 12 }),
      fc.array(anyRequest, { minLength: 1, maxLength: 8 }),
      fc.integer(),
      (routes, requests, seed) => {
        const table = new RouteTable(routes, seed);
        for (const asked of requests) {
          const { memory, head } = request(
            `${asked.method} ${asked.path}${asked.query}`,
            `Host: ${asked.host}`,
            ...asked.fields.map(([name, text]) => `${name}: ${text}`),
          );
          assert.equal(table.match(memory, head, null), referenceMatch(routes, asked));
        }
      },
    ),
    runs(2_000),
  );
});
