import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeExchange } from "../../test/hooks/fake-exchange.ts";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { Moment } from "../contract/interception.ts";
import { HookRuntime } from "./hook-runtime.ts";
import { hashPassword, isPassword, readPasswordHash } from "./password.ts";

const ADA = await hashPassword("open: sesame", 10);
const GRACE = await hashPassword("pässword", 10);

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

async function chainOf(more: object = {}) {
  const runtime = new HookRuntime(new Float64Array(BLOCK_BYTES / 8), () => {});
  const users = [
    ["ada", ADA],
    ["grace", GRACE],
  ] as const;
  const link = {
    kind: "basicAuth" as const,
    realm: "R",
    users,
    forwards: false,
    userField: "x-user",
    ...more,
  };
  const [chain] = await runtime.load({ version: 1, chains: [[link]] });
  assert.equal(chain!.moments, Moment.request);
  return chain!;
}

/** Asks with `authorization`, and waits for the verdict. */
async function ask(chain: Awaited<ReturnType<typeof chainOf>>, authorization: string): Promise<FakeExchange> {
  const line = authorization === "" ? "" : `Authorization: ${authorization}\r\n`;
  const exchange = new FakeExchange(`GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\n${line}\r\n`);
  chain.request(exchange);
  while (exchange.verdicts.at(-1) === "hold") await new Promise((resolve) => setImmediate(resolve));
  return exchange;
}

const CASES: readonly [name: string, authorization: string, user: string][] = [
  ["right, with a colon in it", basic("ada:open: sesame"), "ada"],
  ["right, beyond US-ASCII (RFC 7617 2.1)", basic("grace:pässword"), "grace"],
  ["right, its Unicode decomposed", basic("grace:pässword".normalize("NFD")), "grace"],
  ["right, the scheme in another case", basic("ada:open: sesame").replace("Basic", "bAsIc"), "ada"],
  ["nothing", "", ""],
  ["a wrong password", basic("ada:open"), ""],
  ["an empty password", basic("ada:"), ""],
  ["somebody else's password", basic("grace:open: sesame"), ""],
  ["no such user", basic("eve:open: sesame"), ""],
  ["no colon", basic("ada"), ""],
  ["no Base64", "Basic ???", ""],
  ["another scheme", "Bearer abc", ""],
  ["two of them", `${basic("ada:open: sesame")}, ${basic("ada:open: sesame")}`, ""],
  ["very long", basic(`ada:${"x".repeat(5_000)}`), ""],
];

for (const [name, authorization, user] of CASES)
  test(`credentials: ${name}`, async () => {
    const exchange = await ask(await chainOf(), authorization);
    if (user === "") {
      assert.equal(exchange.verdicts.at(-1), "answer 401");
      assert.match(exchange.answerLines, /^www-authenticate: Basic realm="R", charset="UTF-8"\r\n/);
      return;
    }
    assert.deepEqual(exchange.verdicts, ["hold", "proceed"]);
    assert.match(exchange.requestHead, new RegExp(`\r\nx-user: ${user}\r\n`));
    assert.doesNotMatch(exchange.requestHead, /Authorization|root/);
  });

test("what was right a moment ago is neither computed nor waited for again", async () => {
  const chain = await chainOf({ forwards: true });
  assert.deepEqual((await ask(chain, basic("ada:open: sesame"))).verdicts, ["hold", "proceed"]);
  const again = await ask(chain, basic("ada:open: sesame"));
  assert.deepEqual(again.verdicts, []);
  assert.match(again.requestHead, /Authorization/);
  assert.equal((await ask(chain, basic("ada:wrong"))).verdicts.at(-1), "answer 401");
});

test("guesses beyond what can be computed are turned away, and do not take the machine", async () => {
  const chain = await chainOf();
  const guesses = Array.from({ length: 100 }, (_, index) => ask(chain, basic(`ada:${index}`)));
  const ends = (await Promise.all(guesses)).map(({ verdicts }) => verdicts.at(-1));
  assert.equal(ends.filter((end) => end === "answer 503").length, 32);
  assert.equal(ends.filter((end) => end === "answer 401").length, 68);
});

const HASHES: readonly [name: string, text: string, good: boolean][] = [
  ["our own", ADA, true],
  ["nothing", "", false],
  ["bcrypt", "$2y$10$abcdefghijklmnopqrstuuGCdPGDjNRgwLQP0Vm9cMMPGcl5SCfqy", false],
  ["a plain password", "secret", false],
  ["too cheap", ADA.replace("ln=10", "ln=9"), false],
  ["too dear", ADA.replace("ln=10,r=8", "ln=20,r=8"), false],
  ["no salt", ADA.replace(/\$[^$]+(\$[^$]+)$/, "$$$1"), false],
];

for (const [name, text, good] of HASHES)
  test(`hash: ${name} is ${good ? "taken" : "refused"}`, () => {
    assert.equal(readPasswordHash(text) !== undefined, good);
  });

test("a hash that others have made (RFC 7914 12)", async () => {
  // scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1), its first 32 bytes.
  const salt = Buffer.from("SodiumChloride").toString("base64").replaceAll("=", "");
  const expected = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2";
  const hash = Buffer.from(expected, "hex").toString("base64").replaceAll("=", "");
  const read = readPasswordHash(`$scrypt$ln=14,r=8,p=1$${salt}$${hash}`)!;
  assert.equal(await isPassword("pleaseletmein", read), true);
  assert.equal(await isPassword("pleaseletmeinn", read), false);
});
