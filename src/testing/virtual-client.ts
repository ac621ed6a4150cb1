/** A client of the simulated world. */
import type { Duration } from "../config/kinds.ts";
import { Errno } from "../contract/errno.ts";
import { MessageReader, responseLength, statusOf, type WholeMessage } from "./message-reader.ts";
import type { SimulatedClient } from "./simulation.ts";
import { VirtualSocket } from "./virtual-socket.ts";
import type { Stage } from "./virtual-upstream.ts";

export const HOUR_MS = 3_600_000;

export class VirtualClient implements SimulatedClient {
  readonly name: string;
  state: SimulatedClient["state"] = "connecting";
  readonly #stage: Stage;
  readonly #socket: VirtualSocket;
  readonly #received: Uint8Array[] = [];
  /** Of a client that asks once: reads its response. */
  #reader: MessageReader | undefined;

  constructor(stage: Stage, name: string, address: string, from: string) {
    this.name = name;
    this.#stage = stage;
    this.#socket = new VirtualSocket({
      connected: (errno) => this.#connected(errno),
      received: (bytes) => {
        this.#received.push(bytes);
        this.#reader?.feed(bytes);
      },
      ended: (errno) => this.#ended(errno),
    });
    this.#socket.attach(stage.world.dial(address, from, this.#socket));
    stage.note(`${name} connects from ${from}`);
  }

  get received(): string {
    return Buffer.concat(this.#received).toString("latin1");
  }

  get isOver(): boolean {
    return this.state !== "connecting" && this.state !== "open";
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.send(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
  }

  end(): void {
    this.#socket.shutdown();
  }

  reset(): void {
    this.#stage.note(`${this.name} resets`);
    this.state = "closed";
    this.#socket.reset();
  }

  close(): void {
    if (!this.isOver) this.state = "closed";
    this.#socket.close();
  }

  async until(fits: (received: string) => boolean, within: Duration = "1h"): Promise<string> {
    const isDone = () => this.isOver || fits(this.received);
    if (await this.#stage.pump.until(isDone, this.#stage.durationMs(within))) return this.received;
    throw new Error(`nothing that fits came within ${within}; what came is ${JSON.stringify(this.received)}`);
  }

  /** Sends one request and resolves with its response, or with why there is none. */
  async ask(request: Uint8Array, isHead: boolean, withinMs: number): Promise<WholeMessage | string> {
    const reader = new MessageReader(responseLength(isHead));
    this.#reader = reader;
    let response: WholeMessage | undefined;
    const isDone = () => {
      if (response !== undefined) return true;
      // Interim responses come before the one that counts.
      do response = reader.next();
      while (response !== undefined && statusOf(response.startLine) < 200);
      return response !== undefined || this.isOver;
    };
    this.send(request);
    const isInTime = await this.#stage.pump.until(isDone, withinMs);
    if (response !== undefined) return response;
    if (!isInTime) return "no whole response came in time";
    const ends = { refused: "nobody listens there", reset: "the proxy has reset the connection" };
    return this.state in ends ? ends[this.state as keyof typeof ends] : "the proxy has closed the connection";
  }

  #connected(errno: number): void {
    if (errno === 0) this.state = "open";
    else this.state = errno === Errno.ECONNREFUSED ? "refused" : "reset";
  }

  #ended(errno: number): void {
    this.state = errno === 0 ? "ended" : "reset";
    this.#stage.note(`${this.name} is ${errno === 0 ? "at the end" : "reset"}`);
    if (errno === 0) this.#reader?.end();
  }
}
