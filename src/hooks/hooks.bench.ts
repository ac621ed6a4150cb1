/**
 * What hooks add to one proxied GET in the data plane: nanoseconds per exchange without, and with hooks of several
 * kinds, each the least of several rounds, compiled as in a worker. `node src/hooks/hooks.bench.ts`
 */
import { execFileSync } from "node:child_process";
import { BLOCK_BYTES } from "../contract/counters.ts";
import { run } from "../session/http-session.bench.ts";
import { HookChain } from "./hook-chain.ts";
import type { Hooks } from "./hooks.ts";
import { REAL_CLOCK } from "./link.ts";

const ROUNDS = 6;

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
  const link = { name: "bench", hooks, budgetMs: 1_000, timeoutMs: 1_000, isClosed: true, number: 0 };
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
  const [only, exchanges = "500000"] = process.argv.slice(2);
  const names = Object.keys(CASES);
  if (only !== undefined) {
    const { nsPerExchange } = run(Number(exchanges), chainOf(CASES[names[Number(only)]!]));
    console.log(nsPerExchange);
  } else {
    const least = names.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < ROUNDS; round++)
      for (const index of names.keys()) {
        // Each by itself: a program has one kind of chain, and not all of these.
        const output = execFileSync(process.execPath, [import.meta.filename, String(index)], {
          encoding: "utf8",
        });
        least[index] = Math.min(least[index]!, Number(output));
      }
    for (const [index, name] of names.entries()) {
      const more = index === 0 ? "" : `, ${(least[index]! - least[0]!).toFixed(0)} more`;
      console.log(`${name}: ${least[index]!.toFixed(0)} ns per exchange${more}`);
    }
  }
}
