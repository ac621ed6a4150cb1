/**
 * Known ways to smuggle a request past a proxy, and what comes of them here: what the client is answered, what
 * goes to the backend, and that nginx and HAProxy behind the proxy understand exactly that. The rows of a hop
 * run one after the other over the same pooled connections, so that poison left by one shows in the next.
 */
import assert from "node:assert/strict";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy } from "../harness/proxy.ts";
import { dial } from "../session/raw-peer.ts";
import { ATTACKS, type Attack } from "./attacks.ts";
import { responsesByLlhttp } from "./llhttp.ts";
import { compareHop, hopMissing, NEXT_HOPS, type NextHop, startNextHop } from "./next-hops.ts";
import { readStrictly, type StrictRequest } from "./strict-reader.ts";

const FLAGS =
  "--health off --request-head-timeout 200ms --request-idle-timeout 200ms --client-idle-timeout 200ms";
const GOOD = "GET /good HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

for (const name of NEXT_HOPS) {
  testEachEngine(`attacks on what ${name} would see`, { timeout: 120_000 }, async (t, engine) => {
    const missing = hopMissing(name);
    if (missing !== "") return t.skip(missing);
    const hop = await startNextHop(t, name);
    const proxy = await startProxy(t, engine, [hop.address], FLAGS.split(" "));
    for (const attack of ATTACKS) await t.test(attack.name, () => run(attack, proxy.port, hop));
    proxy.kill("SIGKILL");
    await proxy.ended;
    const { forwarded, agreed } = compareHop(hop.connections, await hop.stop());
    const expected = ATTACKS.reduce((sum, attack) => sum + (attack.forwarded?.length ?? 0) + 1, 0);
    assert.equal(forwarded, expected, "requests in all");
    assert.ok(agreed > 0);
  });
}

async function run(attack: Attack, port: number, hop: NextHop): Promise<void> {
  const before = hop.connections.map(({ sent }) => sent.length);
  const text = await talk(port, attack.wire);
  const answers = responsesByLlhttp(text, attack.methods ?? []).messages;
  const statuses = answers.map(({ status }) => status).filter((status) => status >= 200);
  assert.deepEqual(statuses, attack.answers, `answered: ${JSON.stringify(text)}`);
  const forwarded = hop.connections.flatMap(({ sent }, index) => {
    const { requests, complaint } = readStrictly(sent.slice(before[index] ?? 0));
    assert.equal(complaint, "", JSON.stringify(sent));
    return requests;
  });
  assert.deepEqual(forwarded.map(inShort), attack.forwarded ?? []);
  for (const request of forwarded) {
    for (const name of attack.gone ?? []) {
      assert.ok(!request.fields.some(([other]) => other === name), `${name} is passed on`);
    }
  }
  const good = responsesByLlhttp(await talk(port, GOOD), []).messages;
  assert.deepEqual(
    good.map(({ status }) => status),
    [200],
    "the next client is served",
  );
}

/** `POST /a host=h hello` */
function inShort({ method, target, host, body }: StrictRequest): string {
  return [method, target, ...(host === "h" ? [] : [`host=${host}`]), ...(body === "" ? [] : [body])].join(
    " ",
  );
}

/** All that comes back until the proxy ends the connection. */
async function talk(port: number, wire: string): Promise<string> {
  const peer = dial(`127.0.0.1:${port}`);
  peer.write(wire);
  await peer.gone();
  peer.close();
  return peer.text;
}
