import { defineConfig } from "hp-proxy";

export default defineConfig({
  listen: ":8080",
  backends: ["localhost:3001", "localhost:3002"],
  health: { path: "/healthz" },
  timeouts: { response: "10s" },
});
