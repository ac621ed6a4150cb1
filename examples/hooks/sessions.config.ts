/** Asks a service of one's own who a client is, and remembers the answer for a while. */
import { defineConfig } from "hp-proxy";

const SESSIONS = process.env.SESSIONS_URL ?? "http://localhost:4000/session";
const KEPT_MS = 5_000;
const users = new Map<string, { user: string; untilMs: number }>();

async function userOf(cookie: string, signal: AbortSignal): Promise<string | undefined> {
  const known = users.get(cookie);
  if (known !== undefined && known.untilMs > Date.now()) return known.user;
  const response = await fetch(SESSIONS, { headers: { cookie }, signal });
  if (!response.ok) return undefined;
  const user = (await response.text()).trim();
  if (users.size > 10_000) users.clear();
  users.set(cookie, { user, untilMs: Date.now() + KEPT_MS });
  return user;
}

export default defineConfig({
  listen: "127.0.0.1:8080",
  backends: "localhost:3001",
  hooks: {
    timeout: "500ms",
    onFailure: "closed",
    async onRequest(request, { signal }) {
      const cookie = request.headers.get("cookie");
      const user = cookie === null ? undefined : await userOf(cookie, signal);
      if (user === undefined) return { status: 302, headers: { location: "/login" } };
      request.headers.set("x-user", encodeURIComponent(user));
      return undefined;
    },
  },
});
