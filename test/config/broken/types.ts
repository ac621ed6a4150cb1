import { defineConfig } from "hp-proxy";

export default defineConfig({
  listen: ":8080",
  backends: ["localhost:3001"],
  // @ts-expect-error: a time has a unit
  timeouts: { connect: "5" },
  // @ts-expect-error: there is no such mode
  mode: "udp",
  workes: 2,
});
