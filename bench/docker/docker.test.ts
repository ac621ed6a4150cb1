/** What the files for Docker name exists: there need not be a Docker here to see that. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
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
    const isImage = from!.includes(":");
    assert.ok(isImage || targets.slice(0, i).some(({ name }) => name === from), from);
  });
  for (const [, stage] of dockerfile.matchAll(/--from=(\S+)/g)) {
    assert.ok(
      targets.some(({ name }) => name === stage),
      stage,
    );
  }
  const sources = [...dockerfile.matchAll(/^COPY ((?!--from).+) \S+$/gm)].flatMap(([, files]) =>
    files!.split(" "),
  );
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

/** In place of Docker: 1,000 requests in every load, 5,000 µs of CPU between two looks at a container. */
const DOCKER = `#!/bin/sh
case "$2" in
run) echo "  1000 requests in 1.00s, 1.00MB read" ;;
exec)
  us=$(($(cat "$STATE") + 5000))
  echo "$us" >"$STATE"
  echo "usage_usec $us"
  echo "user_usec 1"
  ;;
esac
`;

test("compare.sh: a row for each contender in each round", () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "hp-proxy-compare-test-"));
  try {
    const state = path.join(directory, "state");
    writeFileSync(state, "0");
    writeFileSync(path.join(directory, "docker"), DOCKER, { mode: 0o755 });
    const args = [path.join(import.meta.dirname, "compare.sh"), "2", "1", "64", "nginx", "relay"];
    const env = { ...process.env, STATE: state, PATH: `${directory}:${process.env.PATH}` };
    const { status, stdout, stderr } = spawnSync("sh", args, { encoding: "utf8", env });
    assert.equal(status, 0, stderr);
    const rows = ["round\tname\trequests/s\tcpu-us/request"];
    for (const round of [1, 2])
      for (const name of ["nginx", "relay"]) rows.push(`${round}\t${name}\t1000\t5.0`);
    assert.equal(stdout, `${rows.join("\n")}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
