/**
 * Copies of requests to another cluster, for a look at how it does with what really comes. Answers are thrown away.
 *
 * Strategy: nothing of the original waits for a copy. What a copy is made of is taken while the request passes (a
 * body as it flows by), and it is sent when the worker has time, by Node's own client. Everything has a bound; what is
 * beyond it is not copied, and counted.
 */
import http from "node:http";
import { Counter } from "../contract/counters.ts";
import type { MirrorLink } from "../contract/hooking.ts";
import { HeadOf } from "../contract/interception.ts";
import { FRAMING_NAMES } from "../http1/framing-names.ts";
import { NOWHERE, type PipeOutput, type PipeStage } from "./body-pipe.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { HookError } from "./hook-error.ts";
import type { HookContext, HookRequest, Hooks } from "./hooks.ts";
import { type HookClock, type HookTimer, REAL_CLOCK } from "./link.ts";
import { type Outbound, REAL_OUTBOUND } from "./outbound.ts";

/** Copies that one worker makes or sends at a time. */
export const MIRRORS_MAX = 64;
const ANSWER_MS = 10_000;
const FREE_SOCKETS_MAX = 8;

/** About the connection or the framing of the original; or said by us. */
const LEFT_OUT = new Set([...FRAMING_NAMES, "x-mirrored"]);

/** The head of a copy; its body comes later. */
interface Copy {
  readonly endpoint: string;
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly fields: string[];
}

export interface MirrorSurroundings {
  readonly clock?: HookClock;
  readonly outbound?: Outbound;
  /** An answer that is not whole after so long is not waited for. */
  readonly answerMs?: number;
}

/** What the links of one worker share. */
export class Mirrors {
  readonly #cells: Float64Array;
  readonly #endpointsOf: (cluster: string) => readonly string[];
  readonly #agent: http.Agent;
  readonly #clock: HookClock;
  readonly #answerMs: number;
  #activeCount = 0;
  #turn = 0;

  /** `endpointsOf`: addresses of a cluster that take requests now, as `Port.connect` takes them. */
  constructor(
    cells: Float64Array,
    endpointsOf: (cluster: string) => readonly string[],
    { clock = REAL_CLOCK, outbound = REAL_OUTBOUND, answerMs = ANSWER_MS }: MirrorSurroundings = {},
  ) {
    this.#clock = clock;
    this.#agent = outbound.agent(false, FREE_SOCKETS_MAX, false);
    this.#cells = cells;
    this.#endpointsOf = endpointsOf;
    this.#answerMs = answerMs;
  }

  get activeCount(): number {
    return this.#activeCount;
  }

  /** The functions of `link`. */
  hooksOf({ cluster, percent, bodyBytesMax }: MirrorLink): Hooks {
    // Evenly spread, without chance.
    let owed = 0;
    return {
      onRequest: (request: HookRequest, context: HookContext) => {
        const view = context as ExchangeView;
        if (view.exchange.mayTunnel) return;
        owed += percent;
        if (owed < 100) return;
        owed -= 100;
        this.#mirror(cluster, bodyBytesMax, request, view);
      },
    };
  }

  /** Idle connections are closed. */
  stop(): void {
    this.#agent.destroy();
  }

  #mirror(cluster: string, bodyBytesMax: number, request: HookRequest, view: ExchangeView): void {
    const { exchange } = view;
    const endpoints = this.#endpointsOf(cluster);
    const length = Number(request.headers.get("content-length") ?? -1);
    if (endpoints.length === 0 || this.#activeCount >= MIRRORS_MAX || length > bodyBytesMax) {
      this.#skip();
      return;
    }
    const endpoint = endpoints[this.#turn++ % endpoints.length]!;
    const fields: string[] = [];
    for (const [name, value] of request.headers) if (!LEFT_OUT.has(name)) fields.push(name, value);
    fields.push("x-mirrored", "1");
    const copy: Copy = { endpoint, method: request.method, target: request.target, fields };
    if (!exchange.hasRequestBody) {
      this.#sendLater(copy, []);
      return;
    }
    if (length > 0 && exchange.requestBodyBytes === length && !view.hasRequestStage) {
      // It is there already, and stays where it can be sent again.
      const { memory, requestHeadEnd } = exchange;
      const body = Buffer.from(memory.subarray(requestHeadEnd, requestHeadEnd + length));
      this.#sendLater(copy, [body]);
      return;
    }
    this.#activeCount++;
    const stage = new CopyStage(bodyBytesMax, (body) => {
      this.#activeCount--;
      if (body === null) this.#skip();
      else this.#sendLater(copy, body);
    });
    try {
      view.addStage(HeadOf.request, stage, true);
    } catch (error) {
      stage.abort();
      if (!(error instanceof HookError)) throw error;
    }
  }

  #skip(): void {
    this.#cells[Counter.mirrorsSkipped]!++;
  }

  #sendLater(copy: Copy, body: readonly Uint8Array[]): void {
    this.#activeCount++;
    setImmediate(() => this.#send(copy, body));
  }

  #send({ endpoint, method, target, fields }: Copy, body: readonly Uint8Array[]): void {
    let isOver = false;
    const over = (counter: Counter) => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      this.#activeCount--;
      this.#cells[counter]!++;
    };
    let timer: HookTimer | undefined;
    const failed = () => over(Counter.mirrorsFailed);
    const bytes = body.reduce((sum, piece) => sum + piece.length, 0);
    const hasLength = bytes > 0 || !/^(?:GET|HEAD|OPTIONS|DELETE|TRACE)$/.test(method);
    const headers = hasLength ? [...fields, "content-length", `${bytes}`] : fields;
    try {
      const sent = http.request({
        ...placeOf(endpoint),
        method,
        path: target,
        headers,
        agent: this.#agent,
        setHost: false,
      });
      timer = this.#clock.after(this.#answerMs, () => sent.destroy());
      sent.on("error", failed);
      sent.on("close", failed);
      sent.on("response", (answer) => {
        answer.on("error", failed);
        answer.on("end", () => over(Counter.mirrorsSent));
        answer.resume();
      });
      for (const piece of body) sent.write(piece);
      sent.end();
    } catch {
      // A head that Node's client does not send.
      failed();
    }
  }
}

/** `127.0.0.1:3001`, `[::1]:3001` or `unix:/run/app.sock`, as Node's client takes it. */
function placeOf(endpoint: string): http.RequestOptions {
  if (endpoint.startsWith("unix:")) return { socketPath: endpoint.slice("unix:".length) };
  const colon = endpoint.lastIndexOf(":");
  const host = endpoint.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(endpoint.slice(colon + 1)) };
}

/** Keeps a copy of what flows by, up to a bound. */
class CopyStage implements PipeStage {
  out: PipeOutput = NOWHERE;
  readonly isAtWork = false;
  readonly isGathering = false;
  readonly #bytesMax: number;
  #done: ((body: readonly Uint8Array[] | null) => void) | null;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** `done` is called once: with the body, or null where it is longer than `bytesMax` or never comes whole. */
  constructor(bytesMax: number, done: (body: readonly Uint8Array[] | null) => void) {
    this.#bytesMax = bytesMax;
    this.#done = done;
  }

  take(bytes: Uint8Array): boolean {
    if (this.#done !== null) {
      this.#bytes += bytes.length;
      if (this.#bytes > this.#bytesMax) this.#give(null);
      else this.#pieces.push(bytes);
    }
    return this.out.write(bytes);
  }

  end(): void {
    this.#give(this.#pieces);
    this.out.end();
  }

  abort(): void {
    this.#give(null);
  }

  drained(): void {
    this.out.more();
  }

  #give(body: readonly Uint8Array[] | null): void {
    const done = this.#done;
    this.#done = null;
    this.#pieces = [];
    done?.(body);
  }
}
