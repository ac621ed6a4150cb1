import { defineConfig } from "hp-proxy";

export default defineConfig(async () => {
  await Promise.resolve();
  throw new TypeError("nobody told me where backends are");
});
