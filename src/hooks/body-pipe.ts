/**
 * What a body passes through at the edge: any number of stages one behind the other, and a gate behind the
 * last.
 *
 * Strategy: the session knows one stage per body. Hooks may add more as long as their moment lasts, and bytes
 * may flow meanwhile (a hook that waits for a request body needs them). So nothing leaves the pipe before the
 * moment is over: the gate keeps what comes out, and whoever is added then still sees all of it.
 */
import type { BodySink, BodyStage, HookFailureReason } from "../contract/interception.ts";

/** One stage. Called in order; nothing after `end` or `abort`. Must not throw. */
export interface PipeStage {
  /** Where its results go; set before anything is called. */
  out: PipeOutput;
  /**
   * The piece is this stage's. `false`: enough for now, until it calls `out.more`. It is taken all the same.
   */
  take(bytes: Uint8Array): boolean;
  end(): void;
  abort(): void;
  /** `out.write` had said "enough": there is room again. */
  drained(): void;
  /** It has something to do that takes time: it waits neither for its source nor for room. */
  readonly isAtWork: boolean;
  /** It gives nothing on before it has the whole body, and that is not here yet. */
  readonly isGathering: boolean;
}

export interface PipeOutput {
  /** Takes the bytes over. `false`: enough for now, until `drained`. */
  write(bytes: Uint8Array): boolean;
  end(): void;
  fail(reason: HookFailureReason): void;
  /** `take` had said "enough": go on. */
  more(): void;
}

/** What the gate keeps before it says "enough". */
const GATE_BYTES = 65_536;

export class BodyPipe implements BodyStage {
  readonly #stages: PipeStage[] = [];
  #sink: BodySink | null = null;
  #gate: Uint8Array[] = [];
  #gateBytes = 0;
  #isOpen = false;
  #hasEnded = false;
  #isOver = false;
  /** The last stage was told "enough". */
  #isStopped = false;
  /** The source was told "enough". */
  #isFull = false;
  #hasAll = false;

  /** Its bytes come out as many as they went in. */
  readonly keepsLength: boolean;

  constructor(keepsLength: boolean) {
    this.keepsLength = keepsLength;
  }

  get takesStages(): boolean {
    return !this.#isOpen && !this.#isOver;
  }

  /** It is the source's turn: it has not said all, and may go on. */
  get awaitsSource(): boolean {
    return !this.#hasAll && !this.#isFull && !this.#isOver;
  }

  /** One of its stages has something to do that takes time. */
  get isAtWork(): boolean {
    return !this.#isOver && this.#stages.some((stage) => stage.isAtWork);
  }

  /** One of its stages can only wait for more of the body. */
  get isGathering(): boolean {
    return this.awaitsSource && !this.isAtWork && this.#stages.some((stage) => stage.isGathering);
  }

  /** Where it all goes: what `Intercepted.transform` gave for this pipe. */
  connect(sink: BodySink): void {
    this.#sink = sink;
  }

  /** Adds a stage behind the others. Not after `open`. */
  add(stage: PipeStage): void {
    const index = this.#stages.length;
    this.#stages.push(stage);
    stage.out = {
      write: (bytes) => this.#put(index + 1, bytes),
      end: () => this.#endAt(index + 1),
      fail: (reason) => this.#fail(reason),
      more: () => this.#more(index),
    };
    const kept = this.#gate;
    this.#gate = [];
    this.#gateBytes = 0;
    for (const bytes of kept) stage.take(bytes);
    if (this.#hasEnded) {
      this.#hasEnded = false;
      stage.end();
    } else if (this.#isStopped) {
      this.#isStopped = false;
      this.#stages[index - 1]?.drained();
      if (index === 0) this.#askSource();
    }
  }

  /** The moment is over: what came out goes on. */
  open(): void {
    if (this.#isOpen || this.#isOver) return;
    this.#isOpen = true;
    this.#flush();
  }

  feed(memory: Uint8Array, start: number, end: number): boolean {
    if (this.#isOver) return true;
    // `slice` of a Buffer, which the memory of some engines is, would be a view.
    const bytes = new Uint8Array(end - start);
    bytes.set(memory.subarray(start, end));
    const goOn = this.#put(0, bytes);
    this.#isFull = !goOn;
    return goOn;
  }

  end(): void {
    this.#hasAll = true;
    this.#endAt(0);
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gate = [];
    for (const stage of this.#stages) stage.abort();
  }

  drained(): void {
    this.#flush();
  }

  #put(index: number, bytes: Uint8Array): boolean {
    if (this.#isOver || bytes.length === 0) return true;
    const stage = this.#stages[index];
    if (stage !== undefined) return stage.take(bytes);
    if (this.#isOpen && this.#gate.length === 0) {
      const goOn = this.#sink!.write(bytes);
      this.#isStopped = !goOn;
      return goOn;
    }
    this.#gate.push(bytes);
    this.#gateBytes += bytes.length;
    const goOn = this.#gateBytes < GATE_BYTES;
    if (!goOn) this.#isStopped = true;
    return goOn;
  }

  #endAt(index: number): void {
    if (this.#isOver) return;
    const stage = this.#stages[index];
    if (stage !== undefined) {
      stage.end();
      return;
    }
    this.#hasEnded = true;
    if (this.#isOpen) this.#flush();
  }

  #flush(): void {
    if (!this.#isOpen || this.#isOver) return;
    while (this.#gate.length > 0) {
      const bytes = this.#gate.shift()!;
      this.#gateBytes -= bytes.length;
      if (!this.#sink!.write(bytes)) {
        this.#isStopped = true;
        return;
      }
    }
    if (this.#hasEnded) {
      this.#isOver = true;
      this.#sink!.end();
      return;
    }
    if (!this.#isStopped) return;
    this.#isStopped = false;
    const last = this.#stages.at(-1);
    if (last === undefined) this.#askSource();
    else last.drained();
  }

  #more(index: number): void {
    if (this.#isOver) return;
    const before = this.#stages[index - 1];
    if (before === undefined) this.#askSource();
    else before.drained();
  }

  #askSource(): void {
    this.#isFull = false;
    this.#sink?.more();
  }

  #fail(reason: HookFailureReason): void {
    if (this.#isOver) return;
    this.abort();
    this.#sink!.fail(reason);
  }
}

/** Output of a stage that belongs to no pipe yet. */
export const NOWHERE: PipeOutput = {
  write: () => true,
  end() {},
  fail() {},
  more() {},
};
