/** What the commands tell of CORS. What browsers see of it is in test/peers/browser-cors.test.ts. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { runToEnd, temporaryFolder } from "./proxy-process.ts";

test("explain shows what a preflight and other requests are told; check warns where none comes", {
  timeout: 60_000,
}, async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, "hp-proxy.config.yaml");
  const routes = [
    "{ prefix: /, cors: { origins: [https://a.example], credentials: on } }",
    '{ path: /b, cookies: { user: true }, cors: "*" }',
  ];
  writeFileSync(file, `backends: [127.0.0.1:3001]\nroutes:\n  - ${routes.join("\n  - ")}\n`);
  const asks = ["-H", "Access-Control-Request-Method: PUT"];
  const explain = (method: string, origin: string, ...more: string[]) =>
    runToEnd(t, ["explain", method, "h/", "-H", `Origin: https://${origin}.example`, ...more], {}, folder);
  const [preflight, other, plain, checked] = await Promise.all([
    explain("OPTIONS", "a", ...asks),
    explain("OPTIONS", "b", ...asks),
    explain("GET", "a"),
    runToEnd(t, ["check"], {}, folder),
  ]);
  assert.equal(preflight.status, 0, preflight.stderr);
  assert.match(
    preflight.stdout,
    /^cors +https:\/\/a\.example by GET, .*, with credentials; this is a preflight$/m,
  );
  assert.match(preflight.stdout, /^answer +HTTP\/1\.1 204 No Content$/m);
  assert.match(preflight.stdout, /^ +Access-Control-Allow-Origin: https:\/\/a\.example$/m);
  assert.equal(other.status, 1);
  assert.match(other.stdout, /^reason +origin_denied: /m);
  assert.match(plain.stdout, /^cors .*; this request gets the fields$/m);
  assert.match(
    checked.stderr,
    /warning: hp-proxy\.config\.yaml:4:\d+ routes\[1\]\.cors: .*\/b gets no preflights/,
  );
});
