import assert from "node:assert/strict";
import { simulate } from "hp-proxy/testing";
import config, { versions } from "./hp-proxy.config.ts";

const proxy = await simulate(config);

async function share(): Promise<number> {
  let next = 0;
  for (let i = 0; i < 100; i++)
    if ((await (await proxy.fetch("http://app/")).text()) === "localhost:3002") next++;
  return next;
}

assert.equal(await share(), 10);
const chosen = await proxy.fetch("http://app/", { headers: { cookie: "version=next" } });
assert.equal(await chosen.text(), "localhost:3002");

await proxy.reload(versions({ current: 50, next: 50 }));
assert.equal(await share(), 50);
