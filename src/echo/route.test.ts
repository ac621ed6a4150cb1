import assert from "node:assert/strict";
import { test } from "node:test";
import { ROUTE_INITIALS, type Route, routeOf } from "./route.ts";

const CASES: { path: string; route: Partial<Route> }[] = [
  { path: "", route: { name: "echo" } },
  { path: "/", route: { name: "echo" } },
  { path: "/health", route: { name: "health" } },
  { path: "/health?x=1", route: { name: "health" } },
  { path: "/healthy", route: { name: "echo" } },
  { path: "/chunked", route: { name: "chunked" } },
  { path: "/ws", route: { name: "ws" } },
  { path: "/upload", route: { name: "upload" } },
  { path: "/close", route: { name: "close" } },
  { path: "/status/503", route: { name: "status", status: 503 } },
  { path: "/status/199", route: { name: "bad" } },
  { path: "/status/600", route: { name: "bad" } },
  { path: "/status/abc", route: { name: "bad" } },
  { path: "/bytes/0", route: { name: "bytes", bytes: 0 } },
  { path: "/bytes/5000000000", route: { name: "bytes", bytes: 5_000_000_000 } },
  { path: "/bytes/9999999999999999", route: { name: "bad" } },
  { path: "/bytes/-1", route: { name: "bad" } },
  { path: "/slow/250", route: { name: "slow", delayMs: 250 } },
  { path: "/slow/600001", route: { name: "bad" } },
  { path: "/events", route: { name: "events", intervalMs: 250, count: Number.POSITIVE_INFINITY } },
  { path: "/events?interval=5&count=2", route: { name: "events", intervalMs: 5, count: 2 } },
  { path: "/events?interval=0", route: { name: "bad" } },
  { path: "/events?count=x", route: { name: "bad" } },
];

for (const { path, route } of CASES) {
  test(`route: ${path === "" ? "no path" : path}`, () => {
    const { text: _, ...found } = { text: "", ...routeOf(path) };
    assert.deepEqual(found, route);
    // The plain path recognises every route by its second byte.
    if (route.name !== "echo") assert.equal(ROUTE_INITIALS[path.charCodeAt(1)], 1);
  });
}
