/**
 * What hooks add to one proxied GET in the data plane: nanoseconds per exchange without, and with hooks of several
 * kinds, each the least of several rounds. `node src/hooks/hooks.bench.ts [exchanges]`
 */
import { BLOCK_BYTES } from "../contract/counters.ts";
import { run } from "../session/http-session.bench.ts";
import { HookChain } from "./hook-chain.ts";
import type { Hooks } from "./hooks.ts";
import { REAL_CLOCK } from "./link.ts";

const ROUNDS = 5;

const CASES: Readonly<Record<string, Hooks | undefined>> = {
  "without hooks": undefined,
  "a hook that does nothing": { onRequest() {} },
  "one sets a field of the request": {
    onRequest(request) {
      request.headers.set("x-user", "ada");
    },
  },
  "one reads a field": {
    onRequest(request) {
      if (request.headers.get("host") === "nobody") throw new Error("not reached");
    },
  },
  "one sets a field of the response": {
    onResponse(response) {
      response.headers.set("x-user", "ada");
    },
  },
  "one is told of each exchange": { onLog() {} },
};

function chainOf(hooks: Hooks | undefined): HookChain | undefined {
  if (hooks === undefined) return undefined;
  const link = { name: "bench", hooks, budgetMs: 1_000, timeoutMs: 1_000, isClosed: true };
  const cells = new Float64Array(BLOCK_BYTES / 8);
  return new HookChain([link], {
    clock: REAL_CLOCK,
    clusterNames: [],
    cells,
    tell: () => {},
    stray: () => {},
  });
}

/** A moment of it, so that it cannot rot. */
export function smoke(): void {
  for (const hooks of Object.values(CASES)) run(64, chainOf(hooks));
}

if (import.meta.main) {
  const exchanges = Number(process.argv[2] ?? 200_000);
  const least = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, hooks] of Object.entries(CASES)) {
      const { nsPerExchange } = run(exchanges, chainOf(hooks));
      least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, nsPerExchange));
    }
  const base = least.get("without hooks")!;
  for (const [name, ns] of least) {
    const more = ns === base ? "" : `, ${(ns - base).toFixed(0)} more`;
    console.log(`${name}: ${ns.toFixed(0)} ns per exchange${more}`);
  }
}
