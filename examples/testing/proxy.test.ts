import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "hp-proxy/testing";

const CONFIG = new URL("hp-proxy.config.yaml", import.meta.url);

for (let seed = 1; seed <= 20; seed++) {
  test(`a backend that dies costs no GET (seed ${seed})`, async () => {
    const proxy = await simulate(CONFIG, { seed });
    for (let i = 0; i < 5; i++) assert.equal((await proxy.fetch("http://app/")).status, 200);
    proxy.upstream("app-1:3000").down();
    for (let i = 0; i < 5; i++) assert.equal((await proxy.fetch("http://app/")).status, 200);
    await proxy.advance("3s");
    assert.deepEqual(
      proxy.endpoints.map(({ up }) => up),
      [false, true],
    );
  });
}

test("a slow backend is given two seconds", async () => {
  const proxy = await simulate(CONFIG, { upstreams: { default: () => ({ delay: "1h" }) } });
  assert.equal((await proxy.fetch("http://app/")).status, 504);
  assert.ok(proxy.nowMs < 2_100);
});
