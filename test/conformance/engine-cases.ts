/**
 * The engine contract (src/contract/port.ts) as cases, run alike on every engine. What holds at all times is
 * the witness's business; that every slot comes home, and that nothing comes after `stop`, is checked here
 * after each case.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Engine, type EngineOptions, EngineUnavailable } from "../../src/contract/port.ts";
import type { Arena, OpenArena } from "./arena.ts";
import { BACKGROUND_CASES } from "./background-cases.ts";
import type { Case } from "./case.ts";
import { CONNECT_CASES } from "./connect-cases.ts";
import { DATA_CASES } from "./data-cases.ts";
import { ENDING_CASES } from "./ending-cases.ts";
import { FLOW_CASES } from "./flow-cases.ts";
import { HAMMER_CASES } from "./hammer-cases.ts";
import { LIFE_CASES } from "./life-cases.ts";
import { Witness } from "./witness.ts";

const CASES: readonly Case[] = [
  ...CONNECT_CASES,
  ...DATA_CASES,
  ...FLOW_CASES,
  ...ENDING_CASES,
  ...LIFE_CASES,
  ...BACKGROUND_CASES,
  ...HAMMER_CASES,
];

const OPTIONS: EngineOptions = {
  listeners: [{ host: "127.0.0.1", port: 0 }],
  connectionsMax: 64,
  smallSlots: 64,
  largeSlots: 160,
};

const CASE_MS_MAX = 40_000;

export interface ContractOptions {
  /** Sockets are real: cases about descriptors, address families and Node's own loop run too. */
  readonly hasSockets: boolean;
  /** It sees a paused connection break (`Port.pause`). */
  readonly canWatch: boolean;
  /** Cannot be skipped in CI. */
  readonly isRequired: boolean;
}

/** Registers every case for the engine `name`. */
export function engineContract(name: string, open: OpenArena, options: ContractOptions): void {
  for (const each of CASES) {
    if (each.needsSockets && !options.hasSockets) continue;
    if (each.needsWatching && !options.canWatch) continue;
    test(`${name}: ${each.name}`, { timeout: CASE_MS_MAX }, async (t) => {
      let arena: Arena;
      try {
        arena = await open({ ...OPTIONS, ...each.options });
      } catch (error) {
        if (!(error instanceof EngineUnavailable)) throw error;
        if (options.isRequired && process.env.CI) throw error;
        return t.skip(error.message);
      }
      const reason = await runCase(each, arena);
      if (reason !== "") t.skip(reason);
    });
  }
}

async function runCase(each: Case, arena: Arena): Promise<string> {
  const { engine } = arena;
  const witness = new Witness(engine, arena.changed);
  const slotsAreHome = (): boolean => isHome(engine);
  let reason = "";
  try {
    if (!each.startsItself) engine.start(witness);
    const result = await each.run({ arena, engine, witness, slotsAreHome });
    if (typeof result === "string") reason = result;
    assert.deepEqual(witness.broken, [], "a law of the contract was broken");
    witness.closeAll();
    // The pool of an engine that was stopped is nobody's.
    if (!witness.isStopped) await arena.until("every slot is home", slotsAreHome);
  } catch (error) {
    if (witness.broken.length > 0) throw new Error(witness.broken.join("; "), { cause: error });
    throw error;
  } finally {
    witness.isStopped = true;
    await engine.stop();
    await arena.close();
  }
  await engine.stop();
  assert.deepEqual(witness.broken, [], "nothing came after stop");
  return reason;
}

/** Whether nobody but the engine itself holds a slot. */
function isHome({ buffers }: Engine): boolean {
  const largeHome = buffers.freeLargeCount + buffers.lentLargeCount;
  return largeHome === buffers.largeCount && buffers.freeSmallCount === buffers.smallCount;
}
