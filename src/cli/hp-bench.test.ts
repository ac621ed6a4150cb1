/** The command as people run it: its own process, its exit status, its files. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = `import(${JSON.stringify(new URL("./hp-bench.ts", import.meta.url).href)})
  .then(({ main }) => main(process.argv.slice(1), process.env))
  .then((status) => { process.exitCode = status; });`;

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function hpBench(...argv: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const args = ["-e", SCRIPT, "--", ...argv];
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    execFile(process.execPath, args, { cwd, timeout: 30_000 }, (error, out, err) => {
      resolve({ status: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

async function serve(t: TestContext, status: number): Promise<string> {
  const server = createServer((_request, response) => {
    response.statusCode = status;
    response.end("hello");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

test("a run reports, writes its files and exits 0", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hp-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [json, svg] = [join(folder, "out.json"), join(folder, "out.svg")];
  const address = await serve(t, 200);
  const { status, out, err } = await hpBench(
    `${address}/<&">`,
    "3",
    "0.3",
    "--rate",
    "500",
    "-e",
    "net",
    "--json",
    json,
    "--svg",
    svg,
  );
  assert.equal(status, 0, err);
  assert.equal(err, "", "without a terminal nothing but errors goes to standard error");
  assert.match(out, /open loop at 500\/s, engine net/);
  assert.match(out, /200 × 150/);
  assert.match(out, /since due +since sent/);
  assert.match(out, /p99\.99/);
  assert.doesNotMatch(out, /!/);
  assertShape(JSON.parse(readFileSync(json, "utf8")));
  assertWellFormed(readFileSync(svg, "utf8"));
});

function assertShape(result: Record<string, unknown>): void {
  const shapes: Record<string, unknown> = {
    tool: "object",
    startedAt: "string",
    platform: "object",
    configuration: "object",
    engine: "object",
    elapsedMs: "number",
    cpuMs: "object",
    responses: "number",
    responsesPerSecond: "number",
    successful: "number",
    classes: "object",
    statuses: "object",
    errorCount: "number",
    errors: "object",
    bytesIn: "number",
    bytesOut: "number",
    connectionsOpenPeak: "number",
    reconnects: "number",
    unsent: "number",
    latencyUs: "object",
    serviceUs: "object",
    seconds: "object",
    cells: "object",
  };
  assert.deepEqual(
    Object.fromEntries(Object.entries(result).map(([key, value]) => [key, typeof value])),
    shapes,
  );
  const errors = result.errors as object;
  assert.deepEqual(Object.keys(errors), [
    "connect",
    "read",
    "write",
    "timeout",
    "badResponse",
    "closedEarly",
  ]);
  const latency = result.latencyUs as Record<string, number>;
  const rising = ["p50", "p75", "p90", "p99", "p99_9", "p99_99", "max"].map((name) => latency[name]!);
  assert.deepEqual(
    rising,
    rising.toSorted((a, b) => a - b),
    "percentiles rise",
  );
  assert.ok(rising[0]! > 0);
  assert.equal(latency.count, 150);
}

/** Every element is closed, in order; attributes are quoted; no bare markup in text. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(/^<\?xml[^>]*\?>\s*/, "");
  let end = 0;
  for (const match of rest.matchAll(/<(\/?)([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    assert.doesNotMatch(rest.slice(end, match.index), /[<>]|&(?!(amp|lt|gt|quot);)/);
    assert.doesNotMatch(match[3]!, /NaN|Infinity|undefined|&(?!(amp|lt|gt|quot);)/);
    end = match.index + match[0].length;
    if (match[1] === "/") assert.equal(open.pop(), match[2]);
    else if (match[4] === "") open.push(match[2]!);
    else assert.ok(open.length > 0, "there is one root");
  }
  assert.deepEqual(open, []);
  assert.equal(rest.slice(end).trim(), "");
  assert.match(rest, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.ok(/>p99 [\d.]+ (µs|ms)</.test(rest), "percentiles are labelled");
}

test("without a successful response the status is 1, and it is said loudly", async (t) => {
  const { status, out } = await hpBench(await serve(t, 500), "1", "0.1", "-e", "net");
  assert.equal(status, 1);
  assert.match(out, /! [\d,]+ responses were neither 2xx nor 3xx: 500/);
  assert.match(out, /! no successful response/);
});

test("files that cannot be written are told at once, before the load", async (t) => {
  const address = await serve(t, 200);
  const [json, svg] = [join(tmpdir(), "no-such", "x.json"), join(tmpdir(), "no-such", "x.svg")];
  const { status, out, err } = await hpBench(address, "1", "60", "-e", "net", "--json", json, "--svg", svg);
  assert.equal(status, 1);
  assert.equal(out, "");
  assert.match(err, /ENOENT[^\n]*x\.json'\n[^\n]*ENOENT[^\n]*x\.svg'\n$/);
});

test("--json - leaves standard output to the result", async (t) => {
  const { status, out, err } = await hpBench(await serve(t, 200), "1", "0.1", "-e", "net", "--json", "-");
  assert.equal(status, 0);
  assert.equal(JSON.parse(out).tool.name, "hp-bench");
  assert.match(err, /closed loop/);
});

test("a plot of nothing is still a picture", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hp-bench-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const svg = join(folder, "out.svg");
  const { status } = await hpBench(
    await serve(t, 200),
    "1",
    "0.001",
    "-e",
    "net",
    "-w",
    "0.001",
    "--svg",
    svg,
  );
  assert.ok(status === 0 || status === 1);
  const text = readFileSync(svg, "utf8");
  assert.doesNotMatch(text, /NaN|Infinity|undefined/);
});

test("wrong arguments: all of them, and status 1", async () => {
  const { status, out, err } = await hpBench("https://h", "x", "--rat", "5");
  assert.equal(status, 1);
  assert.equal(out, "");
  assert.equal(err.trim().split("\n").length, 3, err);
  for (const line of err.trim().split("\n")) assert.match(line, /^hp-bench: /);
});

test("an unknown host is one clear sentence", async () => {
  const { status, err } = await hpBench("no-such-host.invalid:80", "1", "0.1", "-e", "net");
  assert.equal(status, 1);
  assert.match(err, /^hp-bench: .*no-such-host\.invalid/);
  assert.doesNotMatch(err, /\n.*at /, "no stack trace");
});

test("--help and --version", async () => {
  const help = await hpBench("--help");
  assert.equal(help.status, 0);
  assert.match(help.out, /Usage/);
  const version = await hpBench("--version");
  assert.match(version.out, /^hp-bench \d+\.\d+\.\d+/);
});
