/** A chain of hooks in the hands of a test: each moment is a function that it sets, and every call is written down. */
import { asciiBytes, textOf } from "../../src/base/bytes.ts";
import {
  type BodySink,
  type BodyStage,
  type Chain,
  type HeadOf,
  type Intercepted,
  Moment,
} from "../../src/contract/interception.ts";
import { onEachEngine, type Stage, type StageOptions } from "./stage.ts";

export type Act = (exchange: Intercepted) => void;

export const ALL_MOMENTS = Moment.request | Moment.upstream | Moment.response | Moment.error | Moment.log;

export class ScriptedChain implements Chain {
  readonly moments: number;
  /** Names of the moments that were told, in order; of `log` with its status and reason. */
  readonly told: string[] = [];
  onRequest: Act = () => {};
  onUpstream: Act = () => {};
  onResponse: Act = () => {};
  onError: Act = () => {};
  onLog: Act = () => {};

  constructor(moments: number = ALL_MOMENTS) {
    this.moments = moments;
  }

  request(exchange: Intercepted): void {
    this.told.push("request");
    this.onRequest(exchange);
  }

  upstream(exchange: Intercepted): void {
    this.told.push("upstream");
    this.onUpstream(exchange);
  }

  response(exchange: Intercepted): void {
    this.told.push("response");
    this.onResponse(exchange);
  }

  error(exchange: Intercepted): void {
    this.told.push("error");
    this.onError(exchange);
  }

  log(exchange: Intercepted): void {
    const { failureReason, status } = exchange;
    this.told.push(`log ${status}${failureReason === "" ? "" : ` ${failureReason}`}`);
    this.onLog(exchange);
  }
}

export type ChainRun = (stage: Stage, chain: ScriptedChain) => Promise<void>;

/** As `onEachEngine`, with a chain of its own for each case. */
export function withChain(name: string, options: StageOptions & { moments?: number }, run: ChainRun): void {
  const { moments, ...rest } = options;
  onEachEngine(name, { ...rest, chain: () => new ScriptedChain(moments) }, (stage) =>
    run(stage, stage.chain as ScriptedChain),
  );
}

/** The exchange at its next moment `which`, where it is held. */
export function heldAt(
  stage: Stage,
  chain: ScriptedChain,
  which: "onRequest" | "onUpstream" | "onResponse" | "onError",
): Promise<Intercepted> {
  let held: Intercepted | undefined;
  chain[which] = (exchange) => {
    exchange.hold();
    held = exchange;
    chain[which] = () => {};
    stage.changed();
  };
  return stage.when(`an exchange is held (${which})`, () => held);
}

export function setField(exchange: Intercepted, which: HeadOf, name: string, value: string): boolean {
  return exchange.setField(which, asciiBytes(name), asciiBytes(value));
}

export function requestHead({ memory, requestStart, requestHeadEnd }: Intercepted): string {
  return textOf(memory, requestStart, requestHeadEnd);
}

export function responseHead({ memory, responseStart, responseHeadEnd }: Intercepted): string {
  return textOf(memory, responseStart, responseHeadEnd);
}

/** Answers with a text whose length is known, in the call. */
export function answerWith(exchange: Intercepted, status: number, text: string, lines = ""): BodySink {
  const sink = exchange.answer(status, asciiBytes(lines), text.length);
  sink.write(asciiBytes(text));
  sink.end();
  return sink;
}

/** A stage that keeps what it is fed, and does with it what a test says. */
export class ScriptedStage implements BodyStage {
  readonly pieces: Buffer[] = [];
  fedBytes = 0;
  hasEnded = false;
  isAborted = false;
  drainedCount = 0;
  sink: BodySink | null = null;
  /** Returns what `feed` does. */
  onPiece: (piece: Buffer) => boolean = () => true;
  onEnd: () => void = () => {};
  onDrained: () => void = () => {};
  onAborted: () => void = () => {};

  feed(memory: Uint8Array, start: number, end: number): boolean {
    const piece = Buffer.from(memory.slice(start, end));
    this.pieces.push(piece);
    this.fedBytes += piece.length;
    return this.onPiece(piece);
  }

  end(): void {
    this.hasEnded = true;
    this.onEnd();
  }

  abort(): void {
    this.isAborted = true;
    this.onAborted();
  }

  drained(): void {
    this.drainedCount++;
    this.onDrained();
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString("latin1");
  }
}
