import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { test } from "node:test";
import { openCompileCache } from "./compile-cache.ts";

test("the folder is this process's own, and goes with it", () => {
  const cache = openCompileCache({});
  const folder = cache.environment.NODE_COMPILE_CACHE!;
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  cache.close();
  assert(!existsSync(folder));
  cache.close();
});

test("two processes never share one", () => {
  const caches = [openCompileCache({}), openCompileCache({})];
  const folders = caches.map(({ environment }) => environment.NODE_COMPILE_CACHE);
  assert.notEqual(folders[0], folders[1]);
  for (const cache of caches) cache.close();
});

test("one that the user has chosen stands", () => {
  assert.deepEqual(openCompileCache({ NODE_COMPILE_CACHE: "/somewhere" }).environment, {});
});
