/**
 * An exchange for chains to work on, without a session: heads are texts in a memory of their own, verdicts
 * and edits are written down.
 */
import type {
  BodySink,
  BodyStage,
  Edge,
  HookFailureReason,
  Intercepted,
} from "../../src/contract/interception.ts";

/** What a body was written to. */
export class FakeSink implements BodySink {
  readonly pieces: string[] = [];
  ended = false;
  failed: HookFailureReason | "" = "";
  /** How often `more` was called. */
  asked = 0;
  /** What `write` answers. */
  hasRoom = true;
  onDrained: (() => void) | null = null;
  onAborted: (() => void) | null = null;

  get text(): string {
    return this.pieces.join("");
  }

  write(bytes: Uint8Array): boolean {
    this.pieces.push(Buffer.from(bytes).toString("latin1"));
    return this.hasRoom;
  }

  end(): void {
    this.ended = true;
  }

  fail(reason: HookFailureReason): void {
    this.failed = reason;
  }

  more(): void {
    this.asked++;
  }
}

const REQUEST_AT = 100;
const RESPONSE_AT = 5_000;

export class FakeExchange implements Intercepted {
  edge: Edge | null = null;
  isLive = true;
  readonly memory = new Uint8Array(16_384);
  routeName = "shop";
  nowMs = 1_250;
  startMs = 1_000;
  method = 1;
  clientMinor = 1;
  mayTunnel = false;
  hasRequestBody = false;
  hasResponseBody = true;
  isEventStream = false;
  status = 0;
  endpoint = "";
  cluster = "";
  attempts = 0;
  failureBy: Intercepted["failureBy"] = "";
  failureReason = "";
  failureText = "";
  requestBodyBytes = 0;
  responseBodyBytes = 0;
  requestStart = -1;
  requestHeadEnd = -1;
  responseStart = -1;
  responseHeadEnd = -1;
  /** What happened, in order: `hold`, `proceed`, `fail hook_threw`, `answer 401`. */
  readonly verdicts: string[] = [];
  answerLines = "";
  answerBytes = -2;
  answerSink = new FakeSink();
  routedTo = -1;
  readonly stages: BodyStage[] = [];
  readonly sinks: FakeSink[] = [];
  keepsLength = false;
  /** What edits answer. */
  allows = true;

  constructor(request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n") {
    this.requestHead = request;
  }

  get requestHead(): string {
    return Buffer.from(this.memory.subarray(this.requestStart, this.requestHeadEnd)).toString("latin1");
  }

  set requestHead(text: string) {
    this.requestStart = REQUEST_AT;
    this.requestHeadEnd = REQUEST_AT + Buffer.from(this.memory.buffer).write(text, REQUEST_AT, "latin1");
  }

  get responseHead(): string {
    return Buffer.from(this.memory.subarray(this.responseStart, this.responseHeadEnd)).toString("latin1");
  }

  set responseHead(text: string) {
    this.responseStart = RESPONSE_AT;
    this.responseHeadEnd = RESPONSE_AT + Buffer.from(this.memory.buffer).write(text, RESPONSE_AT, "latin1");
  }

  /** The client has gone. */
  end(): void {
    this.isLive = false;
    this.requestStart = -1;
    for (const stage of this.stages) stage.abort();
    this.edge?.ended();
  }

  clientAddress(): string {
    return "192.0.2.7";
  }

  setField(which: number, name: Uint8Array, value: Uint8Array, valueBytes = value.length): boolean {
    if (!this.#edits(which, name)) return false;
    this.#without(which, name);
    return this.addField(which, name, value, valueBytes);
  }

  addField(which: number, name: Uint8Array, value: Uint8Array, valueBytes = value.length): boolean {
    if (!this.#edits(which, name)) return false;
    const head = which === 0 ? this.requestHead : this.responseHead;
    const line = `${textOf(name)}: ${textOf(value.subarray(0, valueBytes))}\r\n`;
    this.#put(which, `${head.slice(0, -2)}${line}\r\n`);
    return true;
  }

  removeField(which: number, name: Uint8Array): boolean {
    if (!this.#edits(which, name)) return false;
    this.#without(which, name);
    return true;
  }

  setTarget(target: Uint8Array): boolean {
    if (!this.isLive || !this.allows) return false;
    this.requestHead = this.requestHead.replace(/ .*? HTTP/, ` ${textOf(target)} HTTP`);
    return true;
  }

  setStatus(status: number): boolean {
    if (!this.allows) return false;
    this.status = status;
    return true;
  }

  routeTo(cluster: number): boolean {
    this.routedTo = cluster;
    return this.allows;
  }

  hold(): void {
    this.verdicts.push("hold");
  }

  proceed(): void {
    this.verdicts.push("proceed");
  }

  answer(status: number, lines: Uint8Array, bodyBytes: number): BodySink {
    this.verdicts.push(`answer ${status}`);
    this.answerLines = textOf(lines);
    this.answerBytes = bodyBytes;
    return this.answerSink;
  }

  fail(reason: HookFailureReason): void {
    this.verdicts.push(`fail ${reason}`);
  }

  transform(_which: number, stage: BodyStage, keepsLength: boolean): BodySink | null {
    if (!this.allows || this.mayTunnel) return null;
    this.keepsLength = keepsLength;
    this.stages.push(stage);
    const sink = new FakeSink();
    this.sinks.push(sink);
    return sink;
  }

  /** Lets `text` flow into the last stage; what that answers. */
  feed(text: string): boolean {
    const at = 12_000;
    Buffer.from(this.memory.buffer).write(text, at, "latin1");
    const goOn = this.stages.at(-1)!.feed(this.memory, at, at + text.length);
    this.memory.fill(0x21, at, at + text.length);
    return goOn;
  }

  #edits(which: number, name: Uint8Array): boolean {
    const start = which === 0 ? this.requestStart : this.responseStart;
    return this.isLive && this.allows && start >= 0 && textOf(name) !== "content-length";
  }

  #without(which: number, name: Uint8Array): void {
    const head = which === 0 ? this.requestHead : this.responseHead;
    const prefix = `${textOf(name)}:`;
    const lines = head.split("\r\n").filter((line) => !line.toLowerCase().startsWith(prefix));
    this.#put(which, lines.join("\r\n"));
  }

  #put(which: number, head: string): void {
    if (which === 0) this.requestHead = head;
    else this.responseHead = head;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
