/**
 * Reads the workers' counter blocks once a second and keeps the last samples, so that rates and recent times
 * can be told. The blocks are shared memory, or copies that the workers send.
 */
import { BLOCK_BYTES, blockOf, Counter } from "../contract/counters.ts";
import { errorsTotal, type Samples, type WorkerStats, workerStats } from "./stats-report.ts";

const SAMPLE_MS = 1_000;
/** Samples kept: the oldest is ten seconds old. */
const SAMPLES_MAX = 11;

const NOTHING = new Float64Array(BLOCK_BYTES / 8);

interface Sample {
  readonly atMs: number;
  /** By worker. */
  readonly blocks: readonly Float64Array[];
  readonly total: Float64Array;
}

/** What `--stats-interval` prints, since the line before. */
export interface Line {
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly connectionsPerSecond: number;
  readonly connections: number;
  readonly clientsOpen: number;
  readonly errors: number;
  readonly bytesPerSecond: number;
}

export class Figures {
  readonly #segment: ArrayBufferLike;
  /** Of every worker that ever was: what it counted counts on. */
  readonly #blocks: Float64Array[] = [];
  #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lineSample: Sample;

  /** Over the blocks in `segment`; those of workers are read once `include` has named them. */
  constructor(segment: ArrayBufferLike) {
    this.#segment = segment;
    this.#lineSample = this.#sample();
    this.#samples.push(this.#lineSample);
  }

  /** There is a worker with this number now. */
  include(index: number): void {
    while (this.#blocks.length <= index) this.#blocks.push(blockOf(this.#segment, this.#blocks.length));
  }

  /** Everything that all workers have counted, as one block. */
  total(): Float64Array {
    return this.#sample().total;
  }

  /** What all workers have counted of `counter`. */
  count(counter: Counter): number {
    return this.#blocks.reduce((sum, block) => sum + block[counter]!, 0);
  }

  /** Begins to sample. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#samples.push(this.#sample());
      if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    }, SAMPLE_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes a block that a worker sent because it shares no memory with us. */
  put(index: number, cells: Float64Array): void {
    this.#blocks[index]?.set(cells);
  }

  /** Of these workers, and all together. A `pid` is 0 where there is no process just now. */
  report(members: readonly { index: number; pid: number }[]): {
    workers: WorkerStats[];
    total: WorkerStats;
  } {
    const now = this.#sample();
    const before = this.#samples.at(-1)!;
    // A sample that is just made tells no rate.
    const recent = now.atMs - before.atMs < SAMPLE_MS / 2 ? (this.#samples.at(-2) ?? before) : before;
    const longBefore = this.#samples[0]!;
    const samples = (of: (sample: Sample) => Float64Array | undefined): Samples => ({
      now: of(now) ?? NOTHING,
      before: of(recent) ?? NOTHING,
      beforeMs: now.atMs - recent.atMs,
      longBefore: of(longBefore) ?? NOTHING,
    });
    return {
      workers: members.map(({ index, pid }) =>
        workerStats(
          pid,
          samples(({ blocks }) => blocks[index]),
        ),
      ),
      total: workerStats(
        0,
        samples(({ total }) => total),
      ),
    };
  }

  /** Figures since the last call. */
  line(): Line {
    const now = this.#sample();
    const before = this.#lineSample;
    this.#lineSample = now;
    const cells = now.total;
    const cellsBefore = before.total;
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
    const since = (counter: Counter) => cells[counter]! - cellsBefore[counter]!;
    return {
      requestsPerSecond: since(Counter.requests) / seconds,
      requests: cells[Counter.requests]!,
      connectionsPerSecond: since(Counter.clientsAccepted) / seconds,
      connections: cells[Counter.clientsAccepted]!,
      clientsOpen: cells[Counter.clientsOpen]!,
      errors: errorsTotal(cells),
      bytesPerSecond: (since(Counter.clientBytesIn) + since(Counter.clientBytesOut)) / seconds,
    };
  }

  #sample(): Sample {
    const blocks = this.#blocks.map((block) => block.slice());
    const sum = new Float64Array(BLOCK_BYTES / 8);
    for (const block of blocks) for (let cell = 0; cell < sum.length; cell++) sum[cell]! += block[cell]!;
    return { atMs: performance.now(), blocks, total: sum };
  }
}

/** `12,345 RPS | 1,234,567 total | 64 conns | 0 errors | 12.3 MB/s`; in mode tcp `CPS`: connections. */
export function lineText(line: Line, mode: "http" | "tcp"): string {
  const whole = (value: number) => Math.round(value).toLocaleString("en");
  const counted =
    mode === "http"
      ? [`${whole(line.requestsPerSecond)} RPS`, `${whole(line.requests)} total`]
      : [`${whole(line.connectionsPerSecond)} CPS`, `${whole(line.connections)} total`];
  return [
    ...counted,
    `${whole(line.clientsOpen)} conns`,
    `${whole(line.errors)} errors`,
    `${(line.bytesPerSecond / 1e6).toFixed(1)} MB/s`,
  ].join(" | ");
}
