/** What the files for Docker name exists: there need not be a Docker here to see that. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { ROOT } from "../contenders/contender.ts";
import { PROXIES } from "../contenders.ts";

interface Service {
  readonly build: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly depends_on?: readonly string[];
}

const dockerfile = readFileSync(path.join(import.meta.dirname, "Dockerfile"), "utf8");
const compose = readFileSync(path.join(import.meta.dirname, "compose.yaml"), "utf8");
const { services } = parse(compose, { merge: true }) as { services: Record<string, Service> };
const targets = [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)$/gm)].map(([, from, name]) => ({ from, name }));

test("Dockerfile: stages stand on stages before them, and sources exist and are sent", () => {
  const ignored = readFileSync(path.join(import.meta.dirname, "Dockerfile.dockerignore"), "utf8");
  targets.forEach(({ from }, i) => {
    if (i > 0)
      assert.ok(
        targets.slice(0, i).some(({ name }) => name === from),
        from,
      );
  });
  const sources = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files]) => files!.split(" "));
  assert.ok(sources.length > 5);
  for (const source of sources) {
    assert.ok(existsSync(path.join(ROOT, source)), source);
    const isSent = ignored
      .split("\n")
      .some((line) => line.startsWith("!") && source.startsWith(line.slice(1)));
    assert.ok(isSent, `${source} is not left out of the context`);
  }
  assert.ok(!/\\\n\s*\n/.test(dockerfile), "no continued line is followed by nothing");
});

test("compose: every service has a target, every contender a service with a port of its own", () => {
  const ports = new Set<string>();
  for (const [name, { build, command, depends_on: needed = [] }] of Object.entries(services)) {
    assert.ok(
      targets.some((target) => target.name === build.target),
      `${name}: ${build.target}`,
    );
    assert.ok(existsSync(path.join(import.meta.dirname, build.context, build.dockerfile)), name);
    for (const other of needed) assert.ok(other in services, other);
    if (command === undefined) continue;
    assert.equal(command[0], name);
    assert.ok(!ports.has(command[1]!), command[1]);
    ports.add(command[1]!);
  }
  for (const { name } of PROXIES.filter(({ usual }) => usual)) assert.ok(name in services, name);
});

test("compare.sh: the shell reads it, and it finds the port of every contender", () => {
  const script = path.join(import.meta.dirname, "compare.sh");
  const { status, stderr } = spawnSync("sh", ["-n", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  for (const { name } of PROXIES.filter(({ usual }) => usual))
    assert.match(compose, new RegExp(`^    command: \\[${name}, "\\d+"`, "m"));
});
