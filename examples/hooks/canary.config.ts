/** Sends testers to another cluster, and counts what becomes of requests there. */
import { defineConfig } from "hp-proxy";

const counts = { good: 0, failed: 0 };

export default defineConfig({
  listen: "127.0.0.1:8080",
  clusters: {
    stable: { backends: process.env.STABLE ?? "localhost:3001" },
    canary: { backends: process.env.CANARY ?? "localhost:3002" },
  },
  routes: [
    {
      path: "/canary-counts",
      to: "stable",
      hooks: { onRequest: () => Response.json(counts) },
    },
    {
      to: "stable",
      hooks: {
        onRequest(request) {
          if (/(?:^|; )tester=1(?:;|$)/.test(request.headers.get("cookie") ?? "")) request.cluster = "canary";
        },
        onResponse(response) {
          response.headers.set("x-cluster", response.cluster);
        },
        onLog({ cluster, status }) {
          if (cluster === "canary") counts[status < 500 ? "good" : "failed"]++;
        },
      },
    },
  ],
});
