/** What a command is given that it does not take: told with what it takes, and nothing is done. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { main } from "./hp-proxy.ts";

const CASES: readonly (readonly [argv: readonly string[], error: string])[] = [
  [["-c", ""], '--config "": is empty; name a file, like hp-proxy.config.yaml'],
  [["check", "--config="], '--config "": is empty; name a file, like hp-proxy.config.yaml'],
  [["stats", "--control", ""], '--control "": is empty; write --control VALUE'],
  [["healthcheck", "--admin", ""], '--admin "": is empty; write --admin VALUE'],
  [["import", "a", "-o", ""], '-o "": is empty; write -o VALUE'],
  [["import", ""], "hp-proxy import: has no file; name one, like nginx.conf"],
  [["run", "x"], "x: stands where a flag was expected; flags begin with --"],
  [["run", ""], '"": stands where a flag was expected; flags begin with --'],
  [["check", "a.yaml"], "a.yaml: stands where a flag was expected; did you mean --config a.yaml?"],
  [["check", "deep"], "deep: stands where a flag was expected; did you mean --deep?"],
  [["print", "a.ts"], "a.ts: stands where a flag was expected; did you mean --config a.ts?"],
  [["explain", "GET", "/a", "b"], "b: stands where a flag was expected; write METHOD and URL,"],
  [["init", "ts"], "ts: stands where a flag was expected; it writes hp-proxy.config.*"],
  [["import", "a", "b"], "b: stands where a flag was expected; name one file;"],
  [["demo", "a.yaml"], "a.yaml: stands where a flag was expected; write flags, like --port 8080"],
  [["stats", "abc"], "abc: is not the number of a process; write the PID of an hp-proxy, or --control PATH"],
  [["stats", ""], '"": is not the number of a process;'],
  [["stats", "1", "2"], "2: stands where a flag was expected; one PID is enough"],
  [["stats", "1", "--control", "x"], "--control: stands beside process 1; keep one of them"],
  [["reload", "0"], "0: is not the number of a process;"],
  [["upgrade", "now"], "now: is not the number of a process;"],
  [["healthcheck", "7", "--admin", "99"], "--admin: stands beside process 7; keep one of them"],
  [["version", "x"], "x: stands where a flag was expected; write hp-proxy version"],
  [["help", "a", "b"], "hp-proxy help: takes one command"],
  [["help", "stat"], "stat is not a command; did you mean hp-proxy stats?"],
  [["a.yaml"], "a.yaml is not a command; did you mean hp-proxy --config a.yaml?"],
  ...["run", "check", "print", "explain", "init", "import", "demo", "stats", "reload", "upgrade"]
    .concat("healthcheck", "hash-password", "version")
    .map((command) => [[command, "--nope"], "--nope: is not a flag; --help lists all flags"] as const),
];

/** Status and standard error of `hp-proxy ARGV`. */
async function failing(t: TestContext, argv: readonly string[]): Promise<{ status: number; text: string }> {
  const written: string[] = [];
  const write = t.mock.method(process.stderr, "write", (text: string) => {
    written.push(text);
    return true;
  });
  const status = await main(argv, {});
  write.mock.restore();
  return { status, text: written.join("") };
}

for (const [argv, error] of CASES) {
  test(`hp-proxy ${argv.map((word) => word || '""').join(" ")}: exit 1, ${error}`, async (t) => {
    const { status, text } = await failing(t, argv);
    assert.equal(status, 1);
    assert.ok(text.includes(error), text);
  });
}

test("hp-proxy hash-password PASSWORD: refused, and the password is not repeated", async (t) => {
  const { status, text } = await failing(t, ["hash-password", "swordfish"]);
  assert.equal(status, 1);
  assert.match(text, /seen by everybody.*write it to standard input/);
  assert.doesNotMatch(text, /swordfish/);
});

test("an empty variable is none: HP_PROXY_CONFIG", async (t) => {
  const written = t.mock.method(process.stderr, "write", () => true);
  assert.equal(await main(["check"], { HP_PROXY_CONFIG: "" }), 1);
  const text = written.mock.calls.map(({ arguments: [piece] }) => String(piece)).join("");
  assert.match(text, /an error in the options\n {2}--backends: is missing/);
});
