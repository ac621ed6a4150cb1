/** A client connection: asks what is planned for it, well or badly, and watches what it is answered. */
import { Actor, type Pace } from "./actor.ts";
import { CHUNKED, MessageReader, type MessageSink, UNTIL_END } from "./message-reader.ts";
import { faultyRequest, padOf, requestBody, requestHead, TRAILER, targetOf } from "./messages.ts";
import { isPieceOf, Way } from "./pattern.ts";
import { HEAD_FAULTS, HEAD_LIES, isAmong, isIdempotent, type Plan } from "./plan.ts";
import { routedFault, routedStatus } from "./routes.ts";
import { bareSinceMs, oneOf, type Stage } from "./stage.ts";
import { Tunnel } from "./tunnel.ts";

/** Expect: 100-continue that nobody answers (RFC 9110 §10.1.1: a client does not wait for ever). */
const EXPECT_MS = 1_000;
/** What the proxy answers by itself. */
const LOCAL_STATUSES = [400, 403, 405, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505];

/** What a client does beside its requests. */
export interface Manner {
  readonly pipelines: boolean;
  /** Sends what is to go through a tunnel before there is one. */
  readonly isHasty: boolean;
  /** Behind the last answer. */
  readonly ending: "close" | "wait" | "end";
  /** Something that it does at a time of its own. */
  readonly whim: "" | "reset" | "close" | "end" | "stall" | "deafen";
  readonly whimMs: number;
}

export class Client extends Actor implements MessageSink {
  readonly plans: readonly Plan[];
  readonly manner: Manner;
  readonly #stage: Stage;
  readonly #reader = new MessageReader(this);
  #askedCount = 0;
  #takenCount = 0;
  /** The body of the last request waits for 100. */
  #owedBody: Plan | null = null;
  #isInterim = false;
  /** The last answer said `Connection: close`. */
  #isClosing = false;
  /** It has read 100 for the request whose answer comes next. */
  #isInvited = false;
  #bodyBytes = 0;
  #hasTrailers = false;
  #tunnel: Tunnel | null = null;
  /** What comes now comes through it. */
  #isTunnelling = false;

  constructor(stage: Stage, name: string, pace: Pace, manner: Manner, plans: readonly Plan[]) {
    super(stage.world, stage.trace, name, pace);
    this.#stage = stage;
    this.manner = manner;
    this.plans = plans;
  }

  get cutCount(): number {
    return this.#askedCount - this.#takenCount;
  }

  /** Begins; `attach` comes before. */
  start(): void {
    this.#ask();
    const { whim, whimMs } = this.manner;
    if (whim !== "") this.world.after(whimMs, () => this.#follow(whim));
  }

  /** Asks the next, and more if it does not wait for answers. */
  #ask(): void {
    do {
      const plan = this.plans[this.#askedCount++]!;
      plan.askedMs = this.world.nowMs;
      this.trace.note(this.name, "asks", plan.id);
      this.trace.explain(plan);
      if (isAmong(HEAD_FAULTS, plan.fault)) {
        this.write(faultyRequest(plan));
        break;
      }
      this.write(Buffer.from(requestHead(plan), "latin1"));
      if (plan.isTunnel && this.manner.isHasty) this.#beginTunnel(plan);
      if (plan.expects) {
        this.#owedBody = plan;
        this.world.after(EXPECT_MS, () => this.#writeOwedBody(plan));
        return;
      }
      for (const piece of requestBody(plan)) this.write(piece);
    } while (this.manner.pipelines && this.#askedCount < this.plans.length);
    this.#abandonHalf();
    const isAllAsked = this.#askedCount === this.plans.length;
    if (isAllAsked && this.manner.ending === "end" && !this.plans.at(-1)!.isTunnel) this.end();
  }

  #writeOwedBody(plan: Plan): void {
    if (this.#owedBody !== plan || this.isOver) return;
    this.#owedBody = null;
    for (const piece of requestBody(plan)) this.write(piece);
    const mayAsk = this.manner.pipelines && this.#askedCount < this.plans.length;
    if (mayAsk) this.#ask();
  }

  /** How a request that is not whole goes on, once it is the next to be answered. */
  #abandonHalf(): void {
    const plan = this.plans[this.#takenCount];
    const isHalf = plan?.fault === "half-a-head" || plan?.fault === "half-a-body";
    if (isHalf && plan.askedMs >= 0) this.#follow(oneOf(this.#stage.prng, ["stall", "end", "reset"]));
  }

  #follow(whim: Manner["whim"]): void {
    if (this.isOver || whim === "") return;
    if (whim === "reset") this.reset();
    else if (whim === "close") this.close();
    else if (whim === "end") this.end();
    else if (whim === "stall") this.stall();
    else this.deafen();
  }

  protected override received(bytes: Buffer, count: number): void {
    this.#reader.feed(bytes, count);
  }

  protected override over(): void {
    const isWhole = this.isBroken || this.#isTunnelling || this.#reader.finish();
    this.trace.note(this.name, isWhole ? "is over" : "is cut", this.#takenCount, this.#askedCount);
    if (this.#tunnel !== null) this.#tunnel.over();
    else this.close();
  }

  head(text: string): number {
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) /.exec(text)?.[1] ?? 0);
    const plan = this.plans[this.#takenCount];
    this.trace.note(this.name, "is answered", status, plan?.id);
    if (status === 0 || plan === undefined || this.#takenCount >= this.#askedCount || this.#isClosing) {
      this.#broken(`an answer that nobody asked for: ${JSON.stringify(text)}`);
      return 0;
    }
    this.#isInterim = status < 200 && status !== 101;
    if (this.#isInterim) {
      this.#takeInterim(plan, status);
      return 0;
    }
    plan.answeredStatus = status;
    this.#bodyBytes = 0;
    this.#hasTrailers = false;
    this.#isClosing = /\r\nConnection: (?:[^\r]*, *)?close\r\n/i.test(text);
    plan.isServed = /\r\nX-Id: /.test(text);
    if (/\r\nX-Hooked: /.test(text)) this.#checkHooked(plan, text);
    else if (plan.isServed) this.#checkServed(plan, status, text);
    else if (status === routedStatus(plan)) {
      const fault = routedFault(plan, targetOf(plan), text);
      if (fault !== "") this.#broken(`request ${plan.id} ${fault}: ${JSON.stringify(text)}`);
    } else this.#checkLocal(plan, status);
    // The body that was not asked for is not sent (RFC 9110 §10.1.1).
    if (this.#owedBody === plan) this.#owedBody = null;
    return this.#bodyLength(plan, status, text);
  }

  #takeInterim(plan: Plan, status: number): void {
    const isPlanned = plan.interims > 0 || plan.lie === "flood" || (status === 100 && plan.expects);
    // It may be of an exchange that nobody can tell from this one.
    const isStray = this.#stage.unruly.size > 0;
    if (!isStray && (!isPlanned || plan.isOld))
      this.#broken(`request ${plan.id} has no interim response ${status}`);
    if (status === 100) this.#isInvited = true;
    if (status === 100) this.#writeOwedBody(plan);
  }

  #checkServed(plan: Plan, status: number, text: string): void {
    const { id, fault, lie } = plan;
    const answeredId = Number(/\r\nX-Id: (\d+)\r\n/.exec(text)?.[1]);
    // What comes unasked while the request is under way, nobody can tell from its answer (RFC 9112 §9.2).
    const { unruly, unasked, reachMs } = this.#stage;
    const isUnasked = answeredId === 0 && unasked.some((said) => plan.askedMs < bareSinceMs(said) + reachMs);
    if (isUnasked || unruly.has(id) || unruly.has(answeredId)) {
      plan.isPoisoned = true;
      return;
    }
    if (answeredId !== id || status !== plan.status) {
      this.#broken(`request ${id} gets its own answer: ${JSON.stringify(text)}`);
    }
    const pad = /\r\nX-Pad: ([^\r]*)\r\n/.exec(text)?.[1] ?? "";
    const isLying = lie !== "" && plan.metCount <= plan.lieCount;
    const isBadHead = isLying && isAmong(HEAD_LIES, lie);
    if (isBadHead || fault !== "" || plan.metCount === 0) {
      this.#broken(`request ${id} is not answered by a backend: ${lie} ${fault}`);
    } else if (pad !== padOf(id, plan.responsePadBytes)) this.#broken(`answer ${id} keeps its head`);
    const edited = /\r\nX-Route: ([^\r]*)\r\n/.exec(text)?.[1] ?? "";
    if (edited !== (plan.route === "edit" && !plan.isTunnel ? plan.method : ""))
      this.#broken(`answer ${id} is edited as its route says`);
    const isSlighted = plan.expects && plan.invites && !this.#isInvited && !plan.isEarly;
    if (isSlighted && this.#stage.mood !== "wild")
      this.#broken(`request ${id} gets the 100 that it waits for`);
    if (!isIdempotent(plan) && (lie === "fin" || lie === "reset"))
      this.#broken(`${plan.method} ${id} is sent once`);
    if (!/\r\nVia: (?:.*, )?1\.[01] sim\r\n/.test(text)) this.#broken(`answer ${id} has passed the proxy`);
    if (status >= 200 && !/\r\nDate: /.test(text)) this.#broken(`answer ${id} has a date`);
  }

  /** A hook has answered, for itself or in place of a backend. */
  #checkHooked(plan: Plan, text: string): void {
    const [, id, bytes] = /\r\nX-Hooked: (\d+) (\d+)\r\n/.exec(text) ?? [];
    if (Number(id) !== plan.id)
      this.#broken(`request ${plan.id} gets its own answer: ${JSON.stringify(text)}`);
    if (!/\r\nDate: /.test(text)) this.#broken(`answer ${plan.id} has a date`);
    plan.hookedBytes = Number(bytes);
    plan.isServed = true;
  }

  #checkLocal(plan: Plan, status: number): void {
    const { mood, unruly } = this.#stage;
    // Half a head of a backend, and behind it what it says unasked, may be a head without an id.
    if (unruly.size > 0 && status < 400) {
      plan.isPoisoned = true;
      return;
    }
    if (mood === "calm" || !LOCAL_STATUSES.includes(status))
      this.#broken(`request ${plan.id} is refused: ${status}`);
    const isRefusedHead = isAmong(HEAD_FAULTS, plan.fault);
    if (isRefusedHead && !this.#isClosing)
      this.#broken(`a bad request is the last of its connection: ${plan.fault}`);
  }

  #bodyLength(plan: Plan, status: number, text: string): number {
    const { id, method } = plan;
    const isChunked = /\r\nTransfer-Encoding: chunked\r\n/i.test(text);
    const length = /\r\nContent-Length: (\d+)\r\n/i.exec(text)?.[1];
    if (isChunked && (length !== undefined || plan.isOld)) this.#broken(`answer ${id} has one length`);
    const opensTunnel = status === 101 || (method === "CONNECT" && status < 300);
    if (opensTunnel && plan.isPoisoned) {
      this.close();
      return 0;
    }
    if (opensTunnel) {
      if (!plan.isTunnel) this.#broken(`exchange ${id} becomes no tunnel`);
      if (this.#tunnel === null) this.#beginTunnel(plan);
      this.#isTunnelling = true;
      this.#tunnel!.conclude();
      return 0;
    }
    if (method === "HEAD" || status === 204 || status === 304) return 0;
    if (isChunked) return CHUNKED;
    if (length !== undefined) return Number(length);
    if (!this.#isClosing) this.#broken(`answer ${id} ends with its connection, and does not say so`);
    return UNTIL_END;
  }

  body(bytes: Buffer, start: number, end: number): void {
    const plan = this.plans[this.#takenCount]!;
    if (this.#isTunnelling) {
      this.#tunnel!.received(bytes, start, end);
      return;
    }
    const at = this.#bodyBytes;
    this.#bodyBytes += end - start;
    if (!plan.isServed || plan.isPoisoned) return;
    const { id } = plan;
    const responseBytes = plan.hookedBytes < 0 ? plan.responseBytes : plan.hookedBytes;
    // What a backend says unasked may fall into the answer that it is giving.
    if (this.#stage.unruly.has(id)) plan.isPoisoned = true;
    else if (this.#bodyBytes > responseBytes || !isPieceOf(id, Way.response, at, bytes, start, end)) {
      this.#broken(`answer ${id}: bytes ${at} to ${this.#bodyBytes} of its body are its own`);
    }
  }

  trailers(text: string): void {
    this.#hasTrailers = true;
    if (this.#stage.snapshot.policy.trailers === "drop" || text !== TRAILER)
      this.#broken(`trailers reach a client: ${JSON.stringify(text)}`);
  }

  complete(): void {
    if (this.#isInterim) {
      this.#isInterim = false;
      return;
    }
    const plan = this.plans[this.#takenCount]!;
    if (this.#isTunnelling) {
      this.#reader.becomeTunnel();
      return;
    }
    if (plan.isServed && !plan.isPoisoned) this.#checkWhole(plan);
    plan.isAnswered = true;
    plan.answeredMs = this.world.nowMs;
    this.#isInvited = false;
    this.#takenCount++;
    if (this.isOver) return;
    // What was to go through the tunnel is nothing that anybody can answer.
    const isLost = plan.isTunnel && this.manner.isHasty;
    if (this.#takenCount === this.plans.length || isLost) {
      if (this.manner.ending === "close" || isLost) this.close();
    } else if (this.#takenCount < this.#askedCount) this.#abandonHalf();
    else if (!this.#isClosing) {
      if (plan.thinkMs === 0) this.#ask();
      else this.world.after(plan.thinkMs, () => this.#askUnlessOver());
    }
  }

  malformed(what: string): void {
    this.#broken(`a client gets answers that it can read: ${what}`);
  }

  #askUnlessOver(): void {
    if (!this.isOver) this.#ask();
  }

  #checkWhole(plan: Plan): void {
    const { id, lie, responseFraming, responseBytes, method, answeredStatus } = plan;
    if (plan.hookedBytes >= 0) {
      const hasBody = method !== "HEAD" && answeredStatus !== 204;
      if (this.#bodyBytes !== (hasBody ? plan.hookedBytes : 0))
        this.#broken(`answer ${id} of a hook has its body: ${this.#bodyBytes} of ${plan.hookedBytes} bytes`);
      return;
    }
    const expected = method === "HEAD" ? 0 : responseBytes;
    const areTrailersDue =
      plan.hasTrailers &&
      responseFraming === "chunked" &&
      method !== "HEAD" &&
      !plan.hasLostTrailers &&
      !plan.isOld &&
      !plan.isOldResponse;
    if (areTrailersDue && this.#stage.snapshot.policy.trailers === "pass" && !this.#hasTrailers) {
      this.#broken(`answer ${id} has its trailers`);
    }
    if (this.#bodyBytes === expected && lie !== "bad-chunk") return;
    // Nothing tells such a cut from an end (RFC 9112 §8). Who stalls may be closed all the same.
    if ((lie === "cut" || lie === "stalled-body") && responseFraming === "close") return;
    this.#broken(`answer ${id} has its body: ${this.#bodyBytes} of ${expected} bytes, ${lie}`);
  }

  #beginTunnel(plan: Plan): void {
    const streams = { id: plan.id, wayOut: Way.tunnelUp, wayIn: Way.tunnelDown };
    this.#tunnel = new Tunnel(this.#stage, this, {
      ...streams,
      bytesOut: plan.upBytes,
      bytesIn: plan.downBytes,
    });
    this.#tunnel.write();
  }

  #broken(law: string): void {
    this.#stage.broken(`${this.name}: ${law}`);
  }
}
