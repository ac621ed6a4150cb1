/**
 * Stands between engine and session, writes down what passes, and looks at the books after each batch.
 */
import { Counter } from "../../src/contract/counters.ts";
import type { Handler } from "../../src/contract/port.ts";
import type { SimEngine } from "../../src/engine/sim/sim-engine.ts";
import type { Stage } from "./stage.ts";

const WHO = "proxy";
const GAUGES = ["clientsOpen", "requestsInFlight", "originsOpen", "originsIdle", "tunnelsOpen"] as const;

export class Watch implements Handler {
  readonly #handler: Handler;
  readonly #engine: SimEngine;
  readonly #stage: Stage;
  readonly #counters: Float64Array;
  /** Of the first snapshot: a later bound is not held against what was begun under an earlier one. */
  readonly #version: number;
  /** The largest that was in force: what is open stays open when a bound falls. */
  #clientsMax = 0;
  /** What the session asked for last: -1 when it waits for nothing. */
  waitMs = -1;

  constructor(handler: Handler, engine: SimEngine, stage: Stage, counters: Float64Array) {
    this.#handler = handler;
    this.#engine = engine;
    this.#stage = stage;
    this.#counters = counters;
    this.#version = stage.snapshot.version;
  }

  begin(nowMs: number): void {
    this.#handler.begin(nowMs);
  }

  accepted(connection: number, listener: number): void {
    this.#stage.trace.note(WHO, "accepted", connection);
    this.#handler.accepted(connection, listener);
  }

  connected(connection: number): void {
    this.#stage.trace.note(WHO, "connected", connection);
    this.#handler.connected(connection);
  }

  received(connection: number, start: number, end: number): void {
    this.#stage.trace.note(WHO, "received", connection, end - start);
    this.#handler.received(connection, start, end);
  }

  ended(connection: number): void {
    this.#stage.trace.note(WHO, "ended", connection);
    this.#handler.ended(connection);
  }

  drained(connection: number): void {
    this.#stage.trace.note(WHO, "drained", connection);
    this.#handler.drained(connection);
  }

  failed(connection: number, errno: number): void {
    this.#stage.trace.note(WHO, "failed", connection, errno);
    this.#handler.failed(connection, errno);
  }

  end(): number {
    this.waitMs = this.#handler.end();
    const counters = this.#counters;
    for (const name of GAUGES) {
      if (counters[Counter[name]]! < 0) this.#stage.broken(`${name} is not negative`);
    }
    this.#clientsMax = Math.max(this.#clientsMax, this.#stage.snapshot.limits.clientsMax);
    const open = counters[Counter.clientsOpen]! + counters[Counter.originsOpen]!;
    if (open !== this.#engine.openCount)
      this.#stage.broken(`${this.#engine.openCount} connections are open: ${open}`);
    if (counters[Counter.clientsOpen]! > this.#clientsMax) this.#stage.broken("clientsMax is kept");
    const { requestsInFlightMax } = this.#stage.snapshot.limits;
    const isBusy = requestsInFlightMax > 0 && counters[Counter.requestsInFlight]! > requestsInFlightMax;
    if (isBusy && this.#stage.snapshot.version === this.#version)
      this.#stage.broken("requestsInFlightMax is kept");
    if (counters[Counter.originsIdle]! > counters[Counter.originsOpen]!)
      this.#stage.broken("the idle are open");
    return this.waitMs;
  }
}
