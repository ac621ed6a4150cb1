// Invariant: whatever clients send, nginx and HAProxy behind the proxy never see more requests, or other
// requests, than the proxy sent; and what it sent is canonical.
import assert from "node:assert/strict";
import fc from "fast-check";
import { testEachEngine } from "../harness/engines.ts";
import { startProxy } from "../harness/proxy.ts";
import { dial } from "../session/raw-peer.ts";
import { inPieces, pieceSizes, requestStream } from "./grammar.ts";
import { compareHop, hopMissing, NEXT_HOPS, startNextHop } from "./next-hops.ts";
import { runs } from "./runs.ts";

const CLIENTS_AT_A_TIME = 24;
/** Streams that end inside a message are given up soon. */
const FLAGS = [
  "--health off --request-head-timeout 200ms --request-idle-timeout 200ms --client-idle-timeout 200ms",
]
  .join(" ")
  .split(" ");

for (const name of NEXT_HOPS) {
  testEachEngine(`${name} sees what was sent, and no more`, { timeout: 200_000 }, async (t, engine) => {
    const missing = hopMissing(name);
    if (missing !== "") return t.skip(missing);
    const hop = await startNextHop(t, name);
    const proxy = await startProxy(t, engine, [hop.address], FLAGS);
    const { numRuns, seed = Math.trunc(Math.random() * 2 ** 31) } = runs(100);
    const streams = fc.sample(fc.tuple(requestStream, pieceSizes), { numRuns, seed });
    t.diagnostic(`seed ${seed}`);
    const client = async () => {
      for (let next = streams.pop(); next !== undefined; next = streams.pop()) {
        const peer = dial(`127.0.0.1:${proxy.port}`);
        for (const piece of inPieces(...next)) peer.write(piece);
        await peer.gone();
        peer.close();
      }
    };
    await Promise.all(Array.from({ length: CLIENTS_AT_A_TIME }, client));
    proxy.kill("SIGKILL");
    await proxy.ended;
    const comparison = compareHop(hop.connections, await hop.stop());
    if (process.env.FUZZ_RUNS !== undefined) console.log(name, engine, comparison);
    assert.ok(comparison.agreed > numRuns / 4, `most of it gets there: ${JSON.stringify(comparison)}`);
  });
}
