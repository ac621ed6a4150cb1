/** `hp-proxy explain`: where requests come in, forms of targets other than a path, and how often one is sent. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { explained } from "./hp-proxy-explain.ts";

const LISTENERS = `
listen:
  - { address: "127.0.0.1:22011", cluster: a }
  - { address: "127.0.0.1:22012", cluster: b }
  - { address: "127.0.0.2:22012", cluster: a }
clusters: { a: { backends: ["127.0.0.1:1"] }, b: { backends: ["127.0.0.1:2"] } }
`;
const ROUTES = `
listen: 127.0.0.1:22011
clusters: { a: { backends: ["127.0.0.1:1"] } }
routes: [{ path: /, to: a }, { host: localhost, to: a, retries: 0 }, { host: many, to: a, retries: 7 }]
`;
const PLAIN = "backends: [127.0.0.1:1]";
const TCP = "mode: tcp\nbackends: [127.0.0.1:1]";

interface Case {
  readonly text: string;
  readonly argv: readonly string[];
  /** What the output has, or the errors where there is none. */
  readonly tells: readonly RegExp[];
  readonly status?: number;
}

const AMBIGUOUS = /explain: does not tell the listener, .*; write --listener ADDRESS, one of (.*)\n/;

const CASES: readonly Case[] = [
  {
    text: LISTENERS,
    argv: ["http://127.0.0.1:22011/"],
    tells: [/^listener +127\.0\.0\.1:22011$/m, /^cluster +a$/m, /^backend +127\.0\.0\.1:1$/m],
  },
  {
    text: LISTENERS,
    argv: ["http://127.0.0.1:22012/"],
    tells: [/^cluster +b$/m, /^backend +127\.0\.0\.1:2$/m],
  },
  { text: LISTENERS, argv: ["http://127.0.0.2:22012/"], tells: [/^cluster +a$/m] },
  { text: LISTENERS, argv: ["/", "-H", "Host: x:22011"], tells: [/^cluster +a$/m] },
  { text: LISTENERS, argv: ["x/", "--listener", "127.0.0.1:22012"], tells: [/^cluster +b$/m] },
  {
    text: LISTENERS,
    argv: ["x:22012/"],
    tells: [/one of 127\.0\.0\.1:22012, 127\.0\.0\.2:22012\n/, AMBIGUOUS],
    status: 1,
  },
  { text: LISTENERS, argv: ["CONNECT", "x:22011"], tells: [AMBIGUOUS], status: 1 },
  {
    text: LISTENERS,
    argv: ["x/", "--listener", "127.0.0.1:1"],
    tells: [
      /--listener "127\.0\.0\.1:1": is no address that is listened on; write one of 127\.0\.0\.1:22011, /,
    ],
    status: 1,
  },
  {
    text: PLAIN,
    argv: ["CONNECT", "b.test:443", "--connect-method", "pass"],
    tells: [
      /^sent as +CONNECT b\.test:443 HTTP\/1\.1 \(unchanged\)\n +Host: b\.test:443$/m,
      /^retries +3 at most, only while nothing of this CONNECT was sent$/m,
    ],
  },
  {
    text: PLAIN,
    argv: ["CONNECT", "b.test:443"],
    tells: [/^answer +HTTP\/1\.1 405 /m, /^reason +connect_method: /m],
    status: 1,
  },
  {
    text: ROUTES,
    argv: ["OPTIONS", "*", "-H", "Host: foo"],
    tells: [
      /^request +OPTIONS \* HTTP\/1\.1 \|/m,
      /^route +none of 3 matches$/m,
      /^answer +HTTP\/1\.1 404 /m,
    ],
    status: 1,
  },
  {
    text: ROUTES,
    argv: ["OPTIONS", "*"],
    tells: [/^route +routes\[1\] /m, /^sent as +OPTIONS \* /m, /^retries +none$/m],
  },
  { text: ROUTES, argv: ["many/"], tells: [/^retries +7 at most, before anything is answered /m] },
  {
    text: PLAIN,
    argv: ["http://a.test/a?b#frag"],
    tells: [
      /^sent as +GET \/a\?b HTTP\/1\.1 \(unchanged\)$/m,
      /^retries +3 at most, before anything is answered /m,
    ],
  },
  {
    text: PLAIN,
    argv: ["POST", "a/"],
    tells: [/^retries +3 at most, only while nothing of this POST was sent$/m],
  },
  { text: TCP, argv: ["a/"], tells: [/^mode tcp: there are no requests [^\n]*\n$/] },
];

for (const { text, argv, tells, status = 0 } of CASES) {
  test(`explain ${argv.join(" ")} of ${text.trim().split("\n")[0]}`, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-explain-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "hp-proxy.config.yaml");
    writeFileSync(file, text);
    const told = await explained([...argv, "-c", file], {});
    assert.equal(told.status, status, told.output + told.errors);
    for (const each of tells) assert.match(told.output === "" ? told.errors : told.output, each);
  });
}
