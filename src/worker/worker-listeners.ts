/** Listeners that come and go while a worker runs, as the supervisor orders. */
import { closeSync } from "node:fs";
import type { Engine, ListenerSource } from "../contract/port.ts";
import type { AddressSource, FromWorker } from "../contract/worker-messages.ts";
import type { Session } from "../session/session.ts";

export class WorkerListeners {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #passageFd: number;
  readonly #send: (message: FromWorker) => void;
  /** Until what is left of a removed listener's clients is cut, by its number. */
  readonly #cuts = new Map<number, NodeJS.Timeout>();
  /** Descriptors that came for a number and are not used yet. */
  readonly #passed = new Map<number, number>();

  constructor(engine: Engine, session: Session, passageFd: number, send: (message: FromWorker) => void) {
    this.#engine = engine;
    this.#session = session;
    this.#passageFd = passageFd;
    this.#send = send;
  }

  async add(number: number, source: AddressSource | "passed"): Promise<void> {
    try {
      const where = source === "passed" ? await this.#passedSource(number) : source;
      clearTimeout(this.#cuts.get(number));
      this.#session.openListener(number);
      const address = await this.#engine.addListener(number, where);
      this.#send({ type: "listening", number, address });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#send({ type: "listen-failed", number, reason });
    }
  }

  async remove(number: number, drainTimeoutMs: number): Promise<void> {
    this.#session.drainListener(number);
    const cut = () => {
      this.#cuts.delete(number);
      this.#session.cutListener(number);
      this.#engine.wake();
    };
    this.#cuts.set(number, setTimeout(cut, drainTimeoutMs));
    await this.#engine.removeListener(number);
    this.#send({ type: "unlistened", number });
  }

  /** The worker ends: nothing more is to come. */
  stop(): void {
    for (const timer of this.#cuts.values()) clearTimeout(timer);
    for (const fd of this.#passed.values()) closeSync(fd);
    this.#passed.clear();
  }

  async #passedSource(number: number): Promise<ListenerSource> {
    const { takeDescriptor } = await import("../engine/native/descriptor-passing.ts");
    for (let next = takeDescriptor(this.#passageFd); next !== undefined; ) {
      this.#keep(next.number, next.fd);
      next = takeDescriptor(this.#passageFd);
    }
    const fd = this.#passed.get(number);
    if (fd === undefined) throw new Error(`no descriptor came for listener ${number}`);
    this.#passed.delete(number);
    return { fd, owned: true };
  }

  #keep(number: number, fd: number): void {
    const unused = this.#passed.get(number);
    if (unused !== undefined) closeSync(unused);
    this.#passed.set(number, fd);
  }
}
