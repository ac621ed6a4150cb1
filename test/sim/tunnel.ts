/** One end of a tunnel: a stream each way, both known in advance. */
import type { Actor } from "./actor.ts";
import { bodyOf, isPieceOf, Way } from "./pattern.ts";
import { oneOf, type Stage } from "./stage.ts";

/** Longer than anything takes, shorter than an hour, the timeout of a tunnel. */
const PATIENCE_MS = 600_000;

export interface Streams {
  readonly id: number;
  readonly wayOut: Way;
  readonly bytesOut: number;
  readonly wayIn: Way;
  readonly bytesIn: number;
}

export class Tunnel {
  readonly #stage: Stage;
  readonly #actor: Actor;
  readonly #streams: Streams;
  /** When FIN goes out: behind the last byte, when the other stream is here, or when it has ended. */
  readonly #ending: "first" | "behind" | "last";
  #concludedMs = 0;
  #receivedBytes = 0;

  constructor(stage: Stage, actor: Actor, streams: Streams) {
    const isClient = streams.wayOut === Way.tunnelUp;
    this.#stage = stage;
    this.#actor = actor;
    this.#streams = streams;
    // Two that wait for each other's end would wait for ever.
    this.#ending = oneOf(stage.prng, ["first", "behind", isClient ? "first" : "last"] as const);
  }

  /** Writes its stream, perhaps before there is a tunnel. */
  write(): void {
    const { id, wayOut, bytesOut } = this.#streams;
    this.#actor.write(bodyOf(id, wayOut, bytesOut));
  }

  /** The tunnel is there: does something about the end of its stream. */
  conclude(): void {
    const { prng, mood, world } = this.#stage;
    this.#concludedMs = world.nowMs;
    const ending = mood === "calm" || !prng.oneIn(4) ? "end" : oneOf(prng, ["stall", "reset", "close"]);
    if (ending === "reset") world.after(prng.below(30), () => this.#actor.reset());
    else if (ending === "close") world.after(prng.below(30), () => this.#actor.close());
    const endsNow = this.#ending === "first" || (this.#ending === "behind" && this.#streams.bytesIn === 0);
    if (ending === "end" && endsNow) this.#actor.end();
  }

  /** `[from, to)` of `bytes` came. */
  received(bytes: Buffer, from: number, to: number): void {
    const { id, wayIn, bytesIn } = this.#streams;
    const at = this.#receivedBytes;
    this.#receivedBytes += to - from;
    // A backend that speaks unasked may do it in a tunnel.
    if (this.#stage.unruly.has(id)) return;
    if (this.#receivedBytes > bytesIn || !isPieceOf(id, wayIn, at, bytes, from, to)) {
      this.#stage.broken(`tunnel ${id}: bytes ${at} to ${this.#receivedBytes} are its own`);
    }
    if (this.#receivedBytes === bytesIn && this.#ending === "behind") this.#actor.end();
  }

  /** The other stream has ended, or the connection broke. */
  over(): void {
    const { id, bytesIn } = this.#streams;
    if (this.#stage.mood === "calm" && this.#receivedBytes !== bytesIn) {
      this.#stage.broken(`tunnel ${id} is passed on whole: ${this.#receivedBytes} of ${bytesIn} bytes`);
    }
    const isPrompt = this.#stage.world.nowMs < this.#concludedMs + PATIENCE_MS;
    if (this.#stage.mood === "calm" && !isPrompt) this.#stage.broken(`tunnel ${id}: its end is passed on`);
    this.#actor.end();
  }
}
