/** Clients behind a proxy that is trusted, and behind one that is not, over real connections. */
import assert from "node:assert/strict";
import { parseNetwork } from "../../src/base/ip-address.ts";
import type { Route, Routing } from "../../src/contract/routing.ts";
import { route } from "../route/asking.ts";
import { onEachEngine } from "./stage.ts";

const CUSTOMERS = parseNetwork("192.0.2.0/24")!;
const INNER = parseNetwork("127.0.0.0/8")!;
const ROUTING: Routing = {
  routes: [
    route("/denied", { deny: [CUSTOMERS] }),
    route("/allowed", { allow: [CUSTOMERS] }),
    route("/inner", { allow: [INNER] }),
    route("/asked", { clients: [CUSTOMERS] }),
    route("/told", {
      action: { kind: "redirect", status: 307, location: "/for/$client_address" } satisfies Route["action"],
    }),
  ],
};
const TRUSTED = { routing: ROUTING, policy: { trustedProxies: [INNER] } };

interface Case {
  readonly path: string;
  readonly forwardedFor?: string;
  readonly status: number;
  readonly location?: string;
}

async function ask(
  stage: Parameters<Parameters<typeof onEachEngine>[2]>[0],
  cases: readonly Case[],
): Promise<void> {
  const client = stage.client();
  stage.backend.onPeer = (peer) => {
    peer.onBytes = () => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  for (const { path, forwardedFor, status, location } of cases) {
    const lines = [`GET ${path} HTTP/1.1`, "Host: h"];
    if (forwardedFor !== undefined) lines.push(`X-Forwarded-For: ${forwardedFor}`);
    client.write(`${lines.join("\r\n")}\r\n\r\n`);
    const { head } = await client.message();
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), `${path} for ${forwardedFor}`);
    if (location !== undefined) assert.ok(head.includes(`\r\nLocation: ${location}\r\n`), head);
  }
}

onEachEngine("client address: a trusted proxy names the client", TRUSTED, (stage) =>
  ask(stage, [
    { path: "/denied", forwardedFor: "192.0.2.7", status: 403 },
    { path: "/denied", forwardedFor: "192.0.2.7, 198.51.100.1", status: 200 },
    { path: "/denied", status: 200 },
    { path: "/allowed", forwardedFor: "192.0.2.7", status: 200 },
    { path: "/allowed", forwardedFor: "192.0.2.7, 198.51.100.1", status: 403 },
    { path: "/allowed", forwardedFor: "192.0.2.7, junk", status: 403 },
    { path: "/inner", forwardedFor: "127.0.0.1, 198.51.100.1", status: 403 },
    { path: "/inner", status: 200 },
    { path: "/asked", forwardedFor: "192.0.2.7", status: 200 },
    { path: "/asked", forwardedFor: "198.51.100.1", status: 404 },
    { path: "/told", forwardedFor: "1.1.1.1, [2001:db8::7]:80", status: 307, location: "/for/2001:db8::7" },
    { path: "/told", forwardedFor: "192.0.2.7, 127.0.0.3", status: 307, location: "/for/192.0.2.7" },
    { path: "/told", status: 307, location: "/for/127.0.0.1" },
  ]),
);

onEachEngine("client address: a peer that is not trusted is the client", { routing: ROUTING }, (stage) =>
  ask(stage, [
    { path: "/denied", forwardedFor: "192.0.2.7", status: 200 },
    { path: "/allowed", forwardedFor: "192.0.2.7", status: 403 },
    { path: "/inner", forwardedFor: "198.51.100.1", status: 200 },
    { path: "/told", forwardedFor: "192.0.2.7", status: 307, location: "/for/127.0.0.1" },
  ]),
);
