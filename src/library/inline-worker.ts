/**
 * A worker in this process, behind the same messages as a worker process: the supervisor cannot tell the two
 * apart. It has descriptors of its own, because both sides close theirs, and messages come later, never from
 * within `send`.
 */
import { closeSync } from "node:fs";
import type { ListenerSource } from "../contract/port.ts";
import type { BootMessage, ToWorker } from "../contract/worker-messages.ts";
import {
  FIRST_INHERITED_FD,
  type StartWorker,
  type WorkerLink,
  type WorkerProcessEvents,
} from "../control/worker-process.ts";
import { duplicateDescriptor } from "../engine/native/descriptor-passing.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { type Surroundings, Worker } from "../worker/worker.ts";

/** `hooks`: what `CodeLink.source.given` numbers; it may grow. */
export function inlineWorkers(hooks: readonly Hooks[]): StartWorker {
  return (descriptors, _environment, events) => new InlineWorker(descriptors, hooks, events);
}

class InlineWorker implements WorkerLink {
  readonly pid = process.pid;
  readonly #events: WorkerProcessEvents;
  readonly #descriptors: readonly number[];
  readonly #hooks: readonly Hooks[];
  #worker: Promise<Worker> | undefined;
  /** Ours to close, as long as no engine has it. */
  #passageFd = -1;
  #hasExited = false;

  constructor(descriptors: readonly number[], hooks: readonly Hooks[], events: WorkerProcessEvents) {
    this.#hooks = hooks;
    this.#events = events;
    this.#descriptors = descriptors.map(duplicateDescriptor);
  }

  send(message: ToWorker): void {
    queueMicrotask(() => void this.#take(message));
  }

  /** Nothing ends code of one's own process but itself: the supervisor is told not to wait any longer. */
  kill(): void {
    this.#exit(null, "SIGKILL");
  }

  async #take(message: ToWorker): Promise<void> {
    if (message.type !== "boot") {
      const worker = await this.#worker?.catch(() => undefined);
      worker?.take(message);
      return;
    }
    const surroundings: Surroundings = {
      hooks: this.#hooks,
      send: (answer) => queueMicrotask(() => this.#hasExited || this.#events.message(answer)),
      exit: (status) => setImmediate(() => this.#exit(status, null)),
    };
    this.#worker = Worker.start(this.#here(message), surroundings);
    try {
      await this.#worker;
    } catch (error) {
      for (const fd of this.#descriptors) if (fd !== this.#passageFd) closeSync(fd);
      const reason = error instanceof Error ? error.message : String(error);
      surroundings.send({ type: "boot-failed", reason });
      surroundings.exit(1);
    }
  }

  /** The boot message with descriptors of this process in place of those that a process would inherit. */
  #here(boot: BootMessage): BootMessage {
    const of = (fd: number) => this.#descriptors[fd - FIRST_INHERITED_FD] ?? -1;
    const listeners = boot.options.listeners.map((source): ListenerSource | null =>
      source !== null && "fd" in source ? { fd: of(source.fd), owned: true } : source,
    );
    this.#passageFd = boot.passageFd < 0 ? -1 : of(boot.passageFd);
    return { ...boot, passageFd: this.#passageFd, options: { ...boot.options, listeners } };
  }

  #exit(status: number | null, signal: string | null): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    if (this.#passageFd >= 0) closeSync(this.#passageFd);
    this.#events.exited(status, signal);
  }
}
