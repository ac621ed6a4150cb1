import assert from "node:assert/strict";
import { ConfigurationError } from "hp-proxy";
import { start } from "./main.ts";

const { proxy, address, rename, stop } = await start("127.0.0.1:0");
const ask = async () => (await fetch(`http://${address}/hello`)).text();
assert.equal(await ask(), "own server: /hello, by way of 1.1 first\n");

await rename("second");
assert.equal(await ask(), "own server: /hello, by way of 1.1 second\n");

await assert.rejects(rename("no name"), ConfigurationError);
assert.equal(await ask(), "own server: /hello, by way of 1.1 second\n", "the old one goes on");

assert.equal(proxy.stats().total.requests, 3);
assert.match(proxy.metrics(), /^hp_proxy_requests_total 3$/m);
await stop();
