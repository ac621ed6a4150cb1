/** Runs both configurations with the command, in front of two servers of our own instead of those they name. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";

const servers = [1, 2].map((number) =>
  createServer((_, response) => response.end(`server ${number}`)).listen(0, "127.0.0.1"),
);
await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
const backends = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`).join(",");

for (const file of ["hp-proxy.config.yaml", "typescript/hp-proxy.config.ts"]) {
  const flags = ["--listen", "127.0.0.1:0", "--backends", backends, "--workers", "1"];
  const proxy = spawn("hp-proxy", ["-c", file, ...flags], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "inherit", "pipe"],
  });
  const ended = new Promise((resolve) => proxy.once("exit", resolve));
  let address: string | undefined;
  for await (const line of createInterface({ input: proxy.stderr })) {
    address = /listening on ([\d.]+:\d+)/.exec(line)?.[1];
    if (address !== undefined) break;
  }
  assert.ok(address !== undefined, `${file}: the proxy listens`);
  const texts = new Set<string>();
  for (let i = 0; i < 4; i++) texts.add(await (await fetch(`http://${address}/`)).text());
  assert.deepEqual([...texts].sort(), ["server 1", "server 2"]);
  proxy.kill("SIGTERM");
  assert.equal(await ended, 0);
}
for (const server of servers) {
  server.closeAllConnections();
  server.close();
}
