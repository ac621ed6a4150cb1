/** A backend: does with each request what its plan says, and watches what the proxy makes of it. */
import { Actor, type Pace } from "./actor.ts";
import { CHUNKED, MessageReader, type MessageSink } from "./message-reader.ts";
import { lyingResponse, padOf, response, rewrittenTarget, TRAILER, targetOf } from "./messages.ts";
import { isPieceOf, Way } from "./pattern.ts";
import { BODY_FAULTS, HEAD_FAULTS, isAmong, isIdempotent, type Plan } from "./plan.ts";
import { routedStatus } from "./routes.ts";
import type { Stage } from "./stage.ts";
import { Tunnel } from "./tunnel.ts";

/** As `exchanges.ts` promises. */
const ATTEMPTS_MAX = 4;
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const UNASKED = Buffer.from("HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 3\r\n\r\nbad");
const GOODBYE_MS_MAX = 30;

/** A connection that it has accepted. */
export class BackendConnection extends Actor implements MessageSink {
  readonly #stage: Stage;
  readonly #reader = new MessageReader(this);
  #plan: Plan | null = null;
  #bodyBytes = 0;
  #hasAnswered = true;
  /** It has said, or shown, that it takes no more requests. */
  #isClosing = false;
  #hasSpokenUnasked = false;
  #unaskedMs = Infinity;
  #unaskedBehind: Plan | null = null;
  /** It has said that it switches protocols, and has not. */
  #hasSwitched = false;
  #tunnel: Tunnel | null = null;

  constructor(stage: Stage, name: string, pace: Pace) {
    super(stage.world, stage.trace, name, pace);
    this.#stage = stage;
  }

  protected override received(bytes: Buffer, count: number): void {
    this.#reader.feed(bytes, count);
  }

  protected override over(): void {
    if (this.#tunnel !== null) {
      this.#tunnel.over();
      return;
    }
    if (this.#stage.mood === "calm" && !this.#reader.isBetween) this.#stage.broken("no request is cut short");
    this.close();
  }

  head(text: string): number {
    const [line] = text.split("\r\n", 1);
    const [method, target, version] = line!.split(" ");
    const id = Number(/\r\nX-Id: (\d+)\r\n/.exec(text)?.[1] ?? 0);
    this.trace.note(this.name, "is asked", id);
    const plan = this.#stage.plans.get(id);
    const isForwarded = plan !== undefined && routedStatus(plan) === 0;
    const isKnown = isForwarded && plan.askedMs >= 0 && !isAmong(HEAD_FAULTS, plan.fault);
    if (!isKnown) {
      this.#misread(`a backend sees only what a client has sent: ${JSON.stringify(text)}`);
      this.reset();
      return 0;
    }
    if (method !== plan.method || target !== rewrittenTarget(plan) || version !== "HTTP/1.1") {
      this.#misread(`request ${id} keeps its request line: ${line}`);
    }
    // Whose turn it is, and what is a request, the proxy cannot know of a backend that speaks unasked.
    if (this.#hasSpokenUnasked) this.#checkShunned(plan);
    else {
      this.#checkHead(plan, text);
      this.#checkTurn(plan);
    }
    this.#checkCount(plan);
    plan.metCount++;
    this.#plan = plan;
    this.#bodyBytes = 0;
    this.#hasAnswered = false;
    if (plan.expects && plan.invites) this.write(CONTINUE);
    if (plan.isEarly) this.#answer(plan);
    if (/\r\nTransfer-Encoding: chunked\r\n/.test(text)) return CHUNKED;
    return Number(/\r\nContent-Length: (\d+)\r\n/.exec(text)?.[1] ?? 0);
  }

  body(bytes: Buffer, start: number, end: number): void {
    if (this.#tunnel !== null) {
      this.#tunnel.received(bytes, start, end);
      return;
    }
    const { id, requestBytes } = this.#plan!;
    const at = this.#bodyBytes;
    this.#bodyBytes += end - start;
    if (this.#bodyBytes > requestBytes || !isPieceOf(id, Way.request, at, bytes, start, end)) {
      this.#misread(`request ${id}: bytes ${at} to ${this.#bodyBytes} of its body are its own`);
    }
  }

  trailers(text: string): void {
    if (this.#stage.snapshot.policy.trailers === "drop" || text !== TRAILER)
      this.#misread(`trailers reach a backend: ${JSON.stringify(text)}`);
  }

  complete(): void {
    const plan = this.#plan;
    if (plan === null || this.isGone) return;
    plan.metWholeCount++;
    this.trace.note(this.name, "has all of", plan.id);
    if (this.#bodyBytes !== plan.requestBytes) {
      this.#misread(`request ${plan.id} has its body: ${this.#bodyBytes} of ${plan.requestBytes} bytes`);
    }
    if (isAmong(BODY_FAULTS, plan.fault)) {
      this.#misread(`request ${plan.id} has a bad body and is whole: ${plan.fault}`);
    }
    if (!this.#hasAnswered) this.#answer(plan);
  }

  malformed(what: string): void {
    this.#misread(`a backend gets requests that it can read: ${what}`);
    this.reset();
  }

  /**
   * Reads what it must not. Whoever spoke unasked may answer one request with what was meant for another: a
   * request to switch may have met the lie of a switch, and from then on the client's bytes are relayed as they are.
   */
  #misread(what: string): void {
    if (!this.#hasSpokenUnasked || !this.#hasSwitched) this.#stage.broken(what);
  }

  #checkHead(plan: Plan, text: string): void {
    const { id, requestPadBytes } = plan;
    const via = /\r\nVia: (?:.*, )?1\.[01] sim\r\n/.test(text);
    const pad = /\r\nX-Pad: ([^\r]*)\r\n/.exec(text)?.[1] ?? "";
    const host = /\r\nHost: sim(?:\.example:443)?\r\n/.test(text);
    if (!via || !host || pad !== padOf(id, requestPadBytes)) {
      this.#stage.broken(`request ${id} keeps its head: ${JSON.stringify(text)}`);
    }
    const edited = /\r\nX-Edited: ([^\r]*)\r\n/.exec(text)?.[1] ?? "";
    if (edited !== (plan.route === "edit" ? targetOf(plan).split("?", 1)[0] : "")) {
      this.#stage.broken(`request ${id} is edited as its route says: ${JSON.stringify(text)}`);
    }
    const isBoth = /\r\nTransfer-Encoding:/i.test(text) && /\r\nContent-Length:/i.test(text);
    if (isBoth || /\r\n(?:Keep-Alive|Proxy-Connection):/i.test(text)) {
      this.#stage.broken(`request ${id} has one length: ${JSON.stringify(text)}`);
    }
  }

  #checkTurn(plan: Plan): void {
    const { id } = plan;
    if (this.#isClosing) this.#stage.broken(`request ${id} comes on a connection that was said to close`);
    const isBusy = this.#plan !== null && (!this.#hasAnswered || !this.isFlushed);
    if (isBusy) this.#stage.broken(`request ${id} waits for the one before it`);
  }

  #checkCount(plan: Plan): void {
    const { id, metCount } = plan;
    if (metCount > 0 && !isIdempotent(plan)) this.#stage.broken(`${plan.method} ${id} is sent once`);
    if (metCount >= ATTEMPTS_MAX) this.#stage.broken(`request ${id} is sent ${metCount + 1} times`);
  }

  /** Once the proxy must have seen what was said unasked, it asks no more there. */
  #checkShunned(plan: Plan): void {
    const { reachMs } = this.#stage;
    const last = this.#plan;
    const isSeen =
      last !== null &&
      last === this.#unaskedBehind &&
      last.isAnswered &&
      plan.askedMs > Math.max(last.answeredMs, this.#unaskedMs) + reachMs;
    if (isSeen)
      this.#stage.broken(`request ${plan.id} goes where ${last.id} was answered with more than its answer`);
  }

  #answer(plan: Plan): void {
    this.#hasAnswered = true;
    if (this.#hasSpokenUnasked) this.#stage.unruly.add(plan.id);
    if (plan.lie !== "" && plan.metCount <= plan.lieCount) {
      this.#lie(plan);
      return;
    }
    for (const piece of response(plan)) this.write(piece);
    if (plan.isTunnel) this.#beginTunnel(plan);
    else this.#sayGoodbye(plan);
  }

  #lie(plan: Plan): void {
    const { prng, world } = this.#stage;
    const { lie } = plan;
    this.trace.note(this.name, `lies: ${lie}`, plan.id);
    if (lie === "fin" || lie === "reset") {
      if (lie === "fin") this.close();
      else this.reset();
      return;
    }
    if (lie === "silent") return;
    if (lie === "switch") this.#hasSwitched = true;
    if (lie === "surplus" || lie === "body-for-head") this.#speakUnasked(plan);
    for (const piece of lyingResponse(plan)) this.write(piece);
    if (lie === "cut") {
      if (prng.oneIn(2)) this.end();
      else world.after(prng.below(20), () => this.reset());
    } else if (lie === "late-surplus") {
      world.after(prng.below(20), () => {
        this.#speakUnasked(plan);
        this.write(UNASKED);
      });
    } else if (lie === "flood" || lie === "surplus" || lie === "body-for-head") this.#sayGoodbye(plan);
  }

  /** Behind its answer to `plan`. */
  #speakUnasked(plan: Plan): void {
    this.#hasSpokenUnasked = true;
    this.#unaskedMs = this.world.nowMs;
    this.#unaskedBehind = plan;
    this.#stage.unasked.push({ atMs: this.world.nowMs, behind: plan });
    // What it is asked meanwhile gets the answer that nobody asked for.
    if (this.#plan !== null && this.#plan !== plan) this.#stage.unruly.add(this.#plan.id);
  }

  #sayGoodbye(plan: Plan): void {
    if (plan.goodbye === "said") {
      this.#isClosing = true;
      this.end();
    } else if (plan.goodbye === "unsaid") {
      const { prng, world } = this.#stage;
      world.after(prng.below(GOODBYE_MS_MAX), () => {
        // What it has begun it answers, and who stalls does nothing.
        if (this.#plan === plan && this.#hasAnswered && this.isFlushed) this.close();
      });
    }
  }

  #beginTunnel(plan: Plan): void {
    const streams = { id: plan.id, wayOut: Way.tunnelDown, wayIn: Way.tunnelUp };
    this.#tunnel = new Tunnel(this.#stage, this, {
      ...streams,
      bytesOut: plan.downBytes,
      bytesIn: plan.upBytes,
    });
    this.#reader.becomeTunnel();
    this.#tunnel.write();
    this.#tunnel.conclude();
  }
}
