import assert from "node:assert/strict";
import { type Simulation, type SimulationOptions, simulate } from "hp-proxy/testing";
import { application } from "./hp-proxy.config.ts";

let proxy: Simulation | undefined;
const upstreams: SimulationOptions["upstreams"] = {
  "localhost:3001": () => ({ body: "the application", delay: "250ms" }),
};
proxy = await simulate(
  application(() => proxy?.nowMs ?? 0),
  { upstreams },
);

const version = await proxy.fetch("http://app/version");
assert.equal(await version.text(), "1.0.0\n");

const stranger = await proxy.fetch("http://app/");
assert.equal(stranger.status, 401);
assert.equal(proxy.upstream("localhost:3001").requests.length, 0);

const known = await proxy.fetch("http://app/", { headers: { authorization: "Bearer secret" } });
assert.equal(await known.text(), "the application");
assert.ok(Number(known.headers.get("x-took-ms")) >= 250);
