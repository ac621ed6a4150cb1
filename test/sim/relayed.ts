/** Both ends of a connection in mode tcp: a tunnel, before which the client says which exchange it is. */
import { Actor, type Pace } from "./actor.ts";
import { Way } from "./pattern.ts";
import type { Plan } from "./plan.ts";
import type { Stage } from "./stage.ts";
import { Tunnel } from "./tunnel.ts";

const PREFACE_BYTES = 8;

/** The client says who it is. */
export class RelayedClient extends Actor {
  readonly plan: Plan;
  readonly #tunnel: Tunnel;

  constructor(stage: Stage, name: string, pace: Pace, plan: Plan) {
    super(stage.world, stage.trace, name, pace);
    this.plan = plan;
    const streams = { id: plan.id, wayOut: Way.tunnelUp, wayIn: Way.tunnelDown };
    this.#tunnel = new Tunnel(stage, this, { ...streams, bytesOut: plan.upBytes, bytesIn: plan.downBytes });
  }

  start(): void {
    this.plan.askedMs = this.world.nowMs;
    this.write(Buffer.from(String(this.plan.id).padStart(PREFACE_BYTES)));
    this.#tunnel.write();
    this.#tunnel.conclude();
  }

  protected override received(bytes: Buffer, count: number): void {
    this.plan.isServed = true;
    this.#tunnel.received(bytes, 0, count);
  }

  protected override over(): void {
    this.plan.isAnswered = true;
    this.#tunnel.over();
  }
}

/** The backend learns it. */
export class RelayedBackend extends Actor {
  readonly #stage: Stage;
  #preface = "";
  #tunnel: Tunnel | null = null;

  constructor(stage: Stage, name: string, pace: Pace) {
    super(stage.world, stage.trace, name, pace);
    this.#stage = stage;
  }

  protected override received(bytes: Buffer, count: number): void {
    let at = 0;
    if (this.#tunnel === null) {
      at = Math.min(count, PREFACE_BYTES - this.#preface.length);
      this.#preface += bytes.toString("latin1", 0, at);
      if (this.#preface.length < PREFACE_BYTES) return;
      this.#begin(Number(this.#preface));
    }
    if (at < count) this.#tunnel?.received(bytes, at, count);
  }

  protected override over(): void {
    if (this.#tunnel === null) this.close();
    else this.#tunnel.over();
  }

  #begin(id: number): void {
    const plan = this.#stage.plans.get(id);
    if (plan === undefined || plan.askedMs < 0 || plan.metCount > 0) {
      this.#stage.broken(`a backend is given each client once: ${id}`);
      return;
    }
    plan.metCount++;
    const streams = { id, wayOut: Way.tunnelDown, wayIn: Way.tunnelUp };
    this.#tunnel = new Tunnel(this.#stage, this, {
      ...streams,
      bytesOut: plan.downBytes,
      bytesIn: plan.upBytes,
    });
    this.#tunnel.write();
    this.#tunnel.conclude();
  }
}
