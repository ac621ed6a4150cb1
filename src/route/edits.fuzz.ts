/** A head after its edits is what joining texts by hand gives; nothing around it is touched. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/differential/runs.ts";
import { request, route } from "../../test/route/asking.ts";
import type { FieldEdit, Rewrite } from "../contract/routing.ts";
import { RoutePlan } from "./route-plan.ts";
import { RouteTable } from "./route-table.ts";
import { TemplateSource } from "./template.ts";

const name = fc.constantFrom("A", "a", "Ab", "X-A", "x-a", "X");
const value = fc.constantFrom("", "1", "two words", "x".repeat(40), "Host: x");
const segment = fc.constantFrom("a", "b", "%2F", "..", "");
const edit: fc.Arbitrary<FieldEdit> = fc.oneof(
  fc.record({ kind: fc.constant("remove" as const), name, value: fc.constant("") }),
  fc.record({
    kind: fc.constantFrom("set" as const, "add" as const),
    name,
    value: fc.constantFrom("plain", "$id", "$path$query", "$host-$method", "$2", "$$"),
  }),
);
const rewrite: fc.Arbitrary<Rewrite | null> = fc.oneof(
  fc.constant(null),
  fc.record({
    kind: fc.constant("prefix" as const),
    from: fc.constantFrom("", "/a", "/a/b"),
    to: fc.constantFrom("", "/v2"),
  }),
  fc.record({
    kind: fc.constant("template" as const),
    text: fc.constantFrom("/n/$id", "/$rest", "/$2?k=$id", "/n"),
  }),
);

const GUARD = new Uint8Array(8).fill(0x23);

interface Values {
  readonly [name: string]: string;
}

function filled(text: string, values: Values): string {
  return text.replaceAll(/\$(\$|\w+)/g, (_, key: string) => (key === "$" ? "$" : values[key]!));
}

function expectedTarget(to: Rewrite | null, path: string, query: string, values: Values): string {
  if (to === null) return path + query;
  if (to.kind === "template") return filled(to.text, values) + (to.text.includes("?") ? "" : query);
  if (path !== to.from && !path.startsWith(`${to.from}/`)) return path + query;
  const rewritten = to.to + path.slice(to.from.length);
  return (rewritten === "" ? "/" : rewritten) + query;
}

/** More than any edits here add. */
const ROOMY_BYTES = 1000;

test("edits: a head is rewritten as by hand", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("a", "b", "%2F"),
      fc.array(segment, { maxLength: 3 }),
      fc.constantFrom("", "?", "?q=1"),
      fc.array(fc.tuple(name, value), { maxLength: 5 }),
      fc.array(edit, { maxLength: 4 }),
      rewrite,
      fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constant(ROOMY_BYTES)),
      (id, segments, query, fields, edits, to, spareBytes) => {
        const rest = segments.join("/");
        const path = `/${id}/${rest}`;
        const fieldLines = fields.map((pair) => pair.join(": "));
        const { memory, head } = request(`PUT ${path}${query}`, "Host: h:1", ...fieldLines);
        const table = new RouteTable([], 0);
        table.match(memory, head, null);
        const plan = new RoutePlan(route("/:id/*rest", { requestFields: edits, rewrite: to }), new Map(), 0);
        const source = new TemplateSource();
        source.view = table.view;
        source.head = head;
        source.captures = plan.captures;
        plan.captures?.locate(memory, table.view.pathStart, table.view.pathEnd);

        const lines = [`PUT ${path}${query} HTTP/1.1`, "Host: h:1", ...fieldLines];
        const text = `${lines.join("\r\n")}\r\n\r\n`;
        // The request, then its head as it is edited, then a guard.
        const all = new Uint8Array(memory.length + text.length + spareBytes + GUARD.length);
        const start = memory.length;
        const limit = start + text.length + spareBytes;
        all.set(memory, 0);
        all.set(Buffer.from(text, "latin1"), start);
        all.set(GUARD, limit);
        const view = new DataView(all.buffer);
        let end = start + text.length;
        for (const writer of [plan.requestEdits, plan.rewriting])
          if (writer !== null && end >= 0) end = writer.apply(all, view, start, end, limit, source);

        assert.deepEqual(all.slice(limit), GUARD, "nothing behind the limit is touched");
        assert.deepEqual(all.slice(0, start), memory, "nor what is in front");
        if (spareBytes === ROOMY_BYTES) assert.ok(end >= 0, "there is room");
        if (end < 0) return;
        const values: Values = { id, rest, 2: rest, path, query, host: "h", method: "PUT" };
        const gone = edits.filter(({ kind }) => kind !== "add").map((each) => each.name.toLowerCase());
        const nameOf = (line: string) => line.slice(0, line.indexOf(":")).toLowerCase();
        const kept = lines.slice(1).filter((line) => !gone.includes(nameOf(line)));
        const added = edits
          .filter(({ kind }) => kind !== "remove")
          .map((each) => [each.name, filled(each.value, values)])
          .filter(([, written]) => written !== "")
          .map((pair) => pair.join(": "));
        const target = expectedTarget(to, path, query, values);
        const expected = [`PUT ${target} HTTP/1.1`, ...kept, ...added, "", ""].join("\r\n");
        assert.equal(Buffer.from(all.subarray(start, end)).toString("latin1"), expected);
      },
    ),
    runs(2_000),
  );
});
