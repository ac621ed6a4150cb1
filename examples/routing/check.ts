import assert from "node:assert/strict";
import { simulate } from "hp-proxy/testing";

const proxy = await simulate(new URL("hp-proxy.config.ts", import.meta.url), {
  upstreams: {
    api: ({ target }) => (target === "/slow" ? "hang" : { body: `api ${target}` }),
    pages: ({ target, headers }) => ({ body: `pages ${target} ${headers.get("x-shop")}` }),
  },
});
const rows: readonly [url: string, status: number, text?: string][] = [
  ["http://shop.example.com/", 200, "pages / main"],
  ["http://shop.example.com/api/orders?open", 200, "api /orders?open"],
  ["http://shop.example.com/api/users/7", 200, "api /v2/people/7"],
  ["http://shop.example.com/api/reports", 503, "Back on Monday.\n"],
  ["http://shop.example.com/api/slow", 504],
];
for (const [url, status, text] of rows) {
  const response = await proxy.fetch(url);
  assert.equal(response.status, status, url);
  if (text !== undefined) assert.equal(await response.text(), text, url);
}
assert.ok(proxy.nowMs >= 2_000, "the slow one was given two seconds, of the virtual clock");

const moved = await proxy.fetch("http://old.example.com/a?b");
assert.deepEqual([moved.status, moved.headers.get("location")], [308, "https://shop.example.com/a?b"]);
