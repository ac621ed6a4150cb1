/** A shop: its API, its pages, what has moved, and what is closed for now. */
import { defineConfig } from "hp-proxy";

export default defineConfig({
  listen: ":8080",
  clusters: {
    api: { backends: ["localhost:3001"] },
    pages: { backends: ["localhost:3002"] },
  },
  routes: [
    { name: "moved", host: "old.example.com", redirect: "https://shop.example.com$target" },
    { name: "api", prefix: "/api", to: "api", rewrite: { stripPrefix: true }, timeouts: { response: "2s" } },
    { name: "user", path: "/api/users/:id", to: "api", rewrite: "/v2/people/$id" },
    { name: "closed", path: "/api/reports", respond: { status: 503, body: "Back on Monday.\n" } },
    { name: "pages", to: "pages", requestHeaders: { set: { "X-Shop": "main" } } },
  ],
});
