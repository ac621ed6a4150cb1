/**
 * Runs a test once for every engine, as the engine that proxies; what cannot run here is skipped with its
 * reason.
 */
import { type TestContext, type TestOptions, test } from "node:test";
import { EngineUnavailable } from "../../src/contract/port.ts";
import { chooseEngine } from "../../src/engine/choose.ts";

export const ENGINES = ["uring", "epoll", "net"] as const;
export type SocketEngine = (typeof ENGINES)[number];

const reasons = new Map<SocketEngine, Promise<string>>();

/** Why `engine` cannot run here; "" where it can. */
export function whyNot(engine: SocketEngine): Promise<string> {
  const known = reasons.get(engine) ?? tryToOpen(engine);
  reasons.set(engine, known);
  return known;
}

/** Registers `title` for each engine. */
export function testEachEngine(
  title: string,
  options: TestOptions,
  run: (t: TestContext, engine: SocketEngine) => Promise<void>,
): void {
  for (const engine of ENGINES) {
    test(`${engine}: ${title}`, options, async (t) => {
      const reason = await whyNot(engine);
      if (reason === "") await run(t, engine);
      else t.skip(reason);
    });
  }
}

async function tryToOpen(engine: SocketEngine): Promise<string> {
  try {
    const chosen = await chooseEngine(engine, {
      listeners: [{ host: "127.0.0.1", port: 0 }],
      connectionsMax: 16,
      smallSlots: 16,
      largeSlots: 16,
    });
    await chosen.engine.stop();
    return "";
  } catch (error) {
    if (error instanceof EngineUnavailable) return error.message;
    throw error;
  }
}
