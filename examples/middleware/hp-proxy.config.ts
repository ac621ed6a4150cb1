import { type Config, defineConfig } from "hp-proxy";
import { auth, page, timing } from "./middleware.ts";

export const application = (clock: () => number): Config => ({
  listen: ":8080",
  backends: ["localhost:3001"],
  hooks: [timing(clock), page("/version", "1.0.0\n"), auth(async (token) => token === "secret")],
});

export default defineConfig(application(() => performance.now()));
