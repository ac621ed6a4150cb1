/** Lets only requests with a known key pass, and tells backends whose it is. */
import { defineConfig } from "hp-proxy";

const USERS = new Map([
  ["k-4f1a", "ada"],
  ["k-9c02", "grace"],
]);

export default defineConfig({
  listen: "127.0.0.1:8080",
  backends: "localhost:3001",
  hooks: {
    onRequest(request) {
      const user = USERS.get(request.headers.get("x-api-key") ?? "");
      if (user === undefined) return { status: 401, body: "An API key is needed.\n" };
      request.headers.delete("x-api-key");
      request.headers.set("x-user", user);
      return undefined;
    },
  },
});
