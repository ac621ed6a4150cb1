/**
 * Which engine runs here. Each is loaded only when it is tried, so that choosing `net` loads nothing of FFI.
 */
import type { Engine, EngineOptions } from "../contract/port.ts";
import { EngineUnavailable } from "../contract/port.ts";

export type EngineChoice = "auto" | "uring" | "epoll" | "net";

/** An engine that was tried and cannot run here, and why, in words. */
export interface PassedOver {
  readonly name: "uring" | "epoll";
  readonly reason: string;
}

export interface ChosenEngine {
  readonly engine: Engine;
  /** In the order of trying; empty unless `auto` had to go on. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * Opens the engine that is wanted, or with `auto` the first of uring, epoll, net that can run here. Throws
 * `EngineUnavailable` when a named engine cannot run, and what `listen` throws (EADDRINUSE, EACCES) at once:
 * another engine could not open that listener either.
 */
export async function chooseEngine(wanted: EngineChoice, options: EngineOptions): Promise<ChosenEngine> {
  if (wanted !== "auto") return { engine: await open(wanted, options), passedOver: [] };
  const passedOver: PassedOver[] = [];
  for (const name of ["uring", "epoll"] as const) {
    try {
      return { engine: await open(name, options), passedOver };
    } catch (error) {
      if (!(error instanceof EngineUnavailable)) throw error;
      passedOver.push({ name, reason: error.message });
    }
  }
  return { engine: await open("net", options), passedOver };
}

async function open(name: "uring" | "epoll" | "net", options: EngineOptions): Promise<Engine> {
  switch (name) {
    case "uring":
      return (await import("./uring/uring-engine.ts")).createUringEngine(options);
    case "epoll":
      return (await import("./epoll/epoll-engine.ts")).createEpollEngine(options);
    case "net":
      return (await import("./net/net-engine.ts")).createNetEngine(options);
  }
}
