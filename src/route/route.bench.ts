/**
 * What it costs to find the route of a request among 10, 1,000 and 10,000: nanoseconds per lookup, for each
 * kind of path and a mixture of all. Requests go to routes all over the table, so that caches count. Prints a
 * checksum. `node src/route/route.bench.ts`
 */
import { asciiBytes, writeBytes } from "../base/bytes.ts";
import type { Route } from "../contract/routing.ts";
import { MessageHead } from "../http1/message-head.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { RouteTable } from "./route-table.ts";

const LIMITS = { headBytesMax: 32_768, targetBytesMax: 8_192, fieldCountMax: 16 };
const ROUND_MS = Number(process.env.BENCH_MS ?? 1);
const ROUNDS = 150;
/** Requests that are looked up by turns. */
const REQUESTS = 4096;
const COUNTS = [10, 1_000, 10_000];

type Kind = "exact" | "template" | "prefix" | "host" | "mixed";
const KINDS: readonly Kind[] = ["exact", "template", "prefix", "host", "mixed"];

let checksum = 0;

function routeAt(kind: Kind, index: number): Route {
  const own: Exclude<Kind, "mixed"> =
    kind === "mixed" ? (["exact", "template", "prefix", "host"] as const)[index % 4]! : kind;
  const text = own === "template" ? `/service-${index}/users/:id` : `/service-${index}/users`;
  const path: Route["path"] = own === "host" ? { kind: "any", text: "" } : { kind: own, text };
  return {
    name: text,
    hosts: own === "host" ? [`tenant-${index}.example.com`] : [],
    path,
    methods: [],
    fields: [],
    query: [],
    cookies: [],
    clients: [],
    action: { kind: "forward", targets: [{ cluster: 0, weight: 1 }] },
    allow: [],
    deny: [],
    rewrite: null,
    requestFields: [],
    responseFields: [],
    timeouts: null,
    requestBodyBytesMax: -1,
    requestsInFlightMax: 0,
    rateLimit: -1,
    errorPages: [],
  };
}

function requestFor({ hosts, path }: Route): string {
  const target = path.kind === "any" ? "/" : path.text.replace(":id", "4711");
  const asked = path.kind === "prefix" ? `${target}/profile` : target;
  return `GET ${asked} HTTP/1.1\r\nHost: ${hosts[0] ?? "example.com"}\r\n\r\n`;
}

/** Nanoseconds per lookup among `count` routes of `kind`. */
function measure(kind: Kind, count: number, roundMs: number): number {
  const routes = Array.from({ length: count }, (_, index) => routeAt(kind, index));
  const table = new RouteTable(routes, 0x5eed);
  const memory = new Uint8Array(REQUESTS * 128);
  const head = new MessageHead(LIMITS.fieldCountMax);
  // One head is used for all, as a session does: where path and host lie is all that differs.
  const places = new Int32Array(REQUESTS * 4);
  let at = 0;
  for (let i = 0; i < REQUESTS; i++) {
    const end = writeBytes(memory, at, asciiBytes(requestFor(routes[(i * 7919) % count]!)));
    if (parseRequestHead(memory, at, end, head, LIMITS) !== end)
      throw new Error("a request that can be read");
    places.set([head.pathStart, head.targetEnd, head.fields[2]!, head.fields[3]!], i * 4);
    at = end;
  }
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    let lookups = 0;
    do {
      for (let i = 0; i < REQUESTS; i++) {
        head.pathStart = places[i * 4]!;
        head.targetEnd = places[i * 4 + 1]!;
        head.fields[2] = places[i * 4 + 2]!;
        head.fields[3] = places[i * 4 + 3]!;
        const found = table.match(memory, head, null);
        if (found < 0) throw new Error("every request has its route");
        checksum = (checksum + found) | 0;
      }
      lookups += REQUESTS;
    } while (performance.now() - began < roundMs);
    best = Math.min(best, ((performance.now() - began) * 1e6) / lookups);
  }
  return best;
}

/** A moment of it, so that it cannot rot. */
export function smoke(): void {
  for (const kind of KINDS) measure(kind, 10, 0);
}

if (import.meta.main) {
  for (const kind of KINDS) {
    const figures = COUNTS.map((count) => `${count} routes ${measure(kind, count, ROUND_MS).toFixed(0)} ns`);
    console.log(`${kind.padEnd(8)} ${figures.join(", ")}`);
  }
  console.log(`checksum ${checksum}`);
}
