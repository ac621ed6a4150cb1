/**
 * Finding the route of a request among 10, 1,000 and 10,000, for each kind of path and a mixture of all.
 * Requests go to routes all over the table, so that caches count.
 */
import { asciiBytes, writeBytes } from "../../src/base/bytes.ts";
import type { Route } from "../../src/contract/routing.ts";
import { MessageHead } from "../../src/http1/message-head.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { RouteTable } from "../../src/route/route-table.ts";
import { route } from "../../test/route/asking.ts";
import { type Micro, type Run, smokeMicros } from "./micro.ts";
import { LIMITS } from "./samples.ts";

/** Requests that are looked up by turns; a power of two. */
const REQUESTS = 4096;
const REQUEST_BYTES_MAX = 128;
const SEED = 0x5eed;
/** A prime: successive requests go to routes far from each other. */
const STEP = 7919;
const OWN_KINDS = ["exact", "template", "prefix", "host"] as const;
const KINDS = [...OWN_KINDS, "mixed"] as const;
type Kind = (typeof KINDS)[number];

function routeAt(kind: Kind, index: number): Route {
  const own = kind === "mixed" ? OWN_KINDS[index % OWN_KINDS.length]! : kind;
  if (own === "host") return route("", { name: `tenant-${index}`, hosts: [`tenant-${index}.example.com`] });
  if (own === "prefix") return route(`prefix /service-${index}/users`);
  return route(own === "template" ? `/service-${index}/users/:id` : `/service-${index}/users`);
}

function requestFor({ hosts, path }: Route): string {
  const target = path.kind === "any" ? "/" : path.text.replace(":id", "4711");
  const asked = path.kind === "prefix" ? `${target}/profile` : target;
  return `GET ${asked} HTTP/1.1\r\nHost: ${hosts[0] ?? "example.com"}\r\n\r\n`;
}

function lookup(kind: Kind, routeCount: number): Run {
  const routes = Array.from({ length: routeCount }, (_, index) => routeAt(kind, index));
  const table = new RouteTable(routes, SEED);
  const memory = new Uint8Array(REQUESTS * REQUEST_BYTES_MAX);
  const head = new MessageHead();
  // One head is used for all, as a session does: where path and host lie is all that differs.
  const places = new Int32Array(REQUESTS * 4);
  let at = 0;
  for (let i = 0; i < REQUESTS; i++) {
    const end = writeBytes(memory, at, asciiBytes(requestFor(routes[(i * STEP) % routeCount]!)));
    if (parseRequestHead(memory, at, end, head, LIMITS) !== end)
      throw new Error("a request that can be read");
    places.set([head.pathStart, head.targetEnd, head.fields[2]!, head.fields[3]!], i * 4);
    at = end;
  }
  let next = 0;
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      head.pathStart = places[next * 4]!;
      head.targetEnd = places[next * 4 + 1]!;
      head.fields[2] = places[next * 4 + 2]!;
      head.fields[3] = places[next * 4 + 3]!;
      next = (next + 1) & (REQUESTS - 1);
      const found = table.match(memory, head, null);
      if (found < 0) throw new Error("every request has its route");
      sum = (sum + found) | 0;
    }
    return sum;
  };
}

export const MICROS: readonly Micro[] = KINDS.flatMap((kind) =>
  [10, 1_000, 10_000].map((routeCount): Micro => {
    const name = `route, ${kind}, among ${routeCount}`;
    return { name, bytes: 0, prepare: () => lookup(kind, routeCount) };
  }),
);

export function smoke(): void {
  smokeMicros(MICROS.filter(({ name }) => name.endsWith("among 10")));
}
