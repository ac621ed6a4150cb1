/** One request in ten goes to the new version, and everybody with the cookie `version=next`. */
import { defineConfig } from "hp-proxy";

export const versions = (weights: { current: number; next: number }) =>
  defineConfig({
    listen: ":8080",
    clusters: {
      current: { backends: ["localhost:3001"] },
      next: { backends: ["localhost:3002"] },
    },
    routes: [
      { name: "chosen", cookies: { version: "next" }, to: "next" },
      { name: "shared", to: weights },
    ],
  });

export default versions({ current: 90, next: 10 });
