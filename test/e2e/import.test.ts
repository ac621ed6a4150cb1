/** `hp-proxy import` as people run it: where the result goes, exit statuses, and what is told. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { runToEnd, temporaryFolder } from "./proxy-process.ts";

const timeout = 60_000;

const PLAIN = `server {
  listen 8080;
  location / { proxy_pass http://127.0.0.1:3000; proxy_set_header Host $http_host; }
}
server {
  listen 127.0.0.1:8081;
  location / { return 200 "status"; }
}
`;

test("import: the result goes to standard output or a file, and check takes it", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const run = (...argv: string[]) => runToEnd(t, argv, {}, folder);
  writeFileSync(path.join(folder, "nginx.conf"), PLAIN);
  const shown = await run("import", "nginx.conf");
  assert.equal(shown.status, 0);
  assert.match(shown.stdout, /to: 127\.0\.0\.1-3000/);
  assert.match(
    shown.stderr,
    /^hp-proxy import: warning: nginx\.conf:5 server: routes count on every listener/m,
  );
  const file = path.join(folder, "out.yaml");
  assert.equal((await run("import", "nginx.conf", "-o", "out.yaml")).status, 0);
  assert.equal(readFileSync(file, "utf8"), shown.stdout);
  assert.equal((await run("check", "-c", "out.yaml")).status, 0);
  const again = await run("import", "nginx.conf", "-o", "out.yaml");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /out\.yaml: is there already; name another file, or say --force/);
  assert.equal((await run("import", "nginx.conf", "-o", "out.yaml", "--force")).status, 0);
});

test("import: --strict takes no warning, --listener takes one listener", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const run = (...argv: string[]) => runToEnd(t, argv, {}, folder);
  writeFileSync(path.join(folder, "nginx.conf"), PLAIN);
  const strict = await run("import", "nginx.conf", "--strict", "-o", "out.yaml");
  assert.equal(strict.status, 1);
  assert.equal(strict.stdout, "");
  assert(!existsSync(path.join(folder, "out.yaml")), "nothing was written");
  const one = await run("import", "nginx.conf", "--strict", "--listener", "127.0.0.1:8081");
  assert.equal(one.status, 0, one.stderr);
  assert.match(one.stdout, /listen: 127\.0\.0\.1:8081/);
  assert.match(one.stdout, /respond: .*status/);
  assert.doesNotMatch(one.stdout, /3000/);
});

test("import: what cannot be read is told, with every error", { timeout }, async (t) => {
  const folder = temporaryFolder(t);
  const run = (...argv: string[]) => runToEnd(t, argv, {}, folder);
  writeFileSync(path.join(folder, "bad.conf"), "http {\n  server { listen 80 }\n}\n");
  writeFileSync(path.join(folder, "nginx.conf"), "include bad.conf;\ninclude none.conf;\n");
  const { status, stderr } = await run("import", "nginx.conf");
  assert.equal(status, 1);
  assert.match(stderr, /2 errors, nothing was written/);
  assert.match(stderr, /bad\.conf:2: listen runs into the "}" of line 2; end it with a semicolon/);
  assert.match(stderr, /nginx\.conf:2: includes none\.conf, which does not exist/);
  const missing = await run("import");
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /has no file; name one, like nginx\.conf/);
  assert.match((await run("import", "-h")).stdout, /hp-proxy import nginx\.conf -o FILE\.yaml/);
});
