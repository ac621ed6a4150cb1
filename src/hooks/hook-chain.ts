/**
 * Runs the hooks of a route: one after the other, at each moment, with one verdict in the end.
 *
 * Strategy: what a hook returns at once costs neither promise nor timer, and the exchange is not held for it.
 * Only a promise holds it, until it is settled or late. On the way out (response, error) the last hook comes
 * first, so that each sees what those behind it have made. Whatever a hook throws ends here.
 *
 * `ExchangeView.turn` tells what still counts: every promise that is waited for remembers it, and all that
 * ends the wait in another way (it is late, the client has gone) changes it.
 */
import { Counter } from "../contract/counters.ts";
import { type Chain, type Intercepted, Moment } from "../contract/interception.ts";
import { Sign } from "../contract/liveness.ts";
import { prepareAnswer, sendAnswer, tooLargeAnswer } from "./answer.ts";
import { errorText } from "./error-text.ts";
import { ExchangeView } from "./exchange-view.ts";
import { HookError } from "./hook-error.ts";
import type { HookFailure, HookOutcome, HookResult, Hooks } from "./hooks.ts";
import type { HookClock, HookSurroundings, Link } from "./link.ts";
import { recordOf } from "./record.ts";

/** The functions of `Hooks`, and when each is called. */
export const HOOK_MOMENTS = {
  onRequest: Moment.request,
  onUpstream: Moment.upstream,
  onResponse: Moment.response,
  onError: Moment.error,
  onLog: Moment.log,
} as const;
type HookName = keyof typeof HOOK_MOMENTS;
const HOOK_NAMES = Object.keys(HOOK_MOMENTS) as HookName[];

/** Bits of `Moment` that `hooks` has functions for. */
export function momentsOf(hooks: Hooks): number {
  return HOOK_NAMES.reduce(
    (bits, name) => bits | (typeof hooks[name] === "function" ? HOOK_MOMENTS[name] : 0),
    0,
  );
}

const REQUEST = Moment.request;
const UPSTREAM = Moment.upstream;
const RESPONSE = Moment.response;
const ERROR = Moment.error;
const LOG = Moment.log;
const HOOK_CALL = Sign.hookCall;

type Outcome = HookOutcome | Promise<HookOutcome>;

export class HookChain implements Chain {
  readonly moments: number;
  readonly #surroundings: HookSurroundings;
  readonly #clock: HookClock;
  readonly #requestLinks: readonly Link[];
  readonly #upstreamLinks: readonly Link[];
  readonly #responseLinks: readonly Link[];
  readonly #errorLinks: readonly Link[];
  readonly #logLinks: readonly Link[];
  /**
   * When the clock was last read: as a chain begins, and behind each hook. An older reading, of the batch or of
   * another exchange's hook, would lay on the first hook what others took since, and its budget is a few milliseconds.
   */
  #readMs = 0;

  constructor(links: readonly Link[], surroundings: HookSurroundings) {
    this.#surroundings = surroundings;
    this.#clock = surroundings.clock;
    this.moments = links.reduce((bits, { hooks }) => bits | momentsOf(hooks), 0);
    const inOrder = (name: HookName) => links.filter(({ hooks }) => hooks[name] !== undefined);
    this.#requestLinks = inOrder("onRequest");
    this.#upstreamLinks = inOrder("onUpstream");
    this.#responseLinks = inOrder("onResponse").reverse();
    this.#errorLinks = inOrder("onError").reverse();
    this.#logLinks = inOrder("onLog");
  }

  request(exchange: Intercepted): void {
    this.#begin(exchange, REQUEST);
  }

  upstream(exchange: Intercepted): void {
    this.#begin(exchange, UPSTREAM);
  }

  response(exchange: Intercepted): void {
    this.#begin(exchange, RESPONSE);
  }

  error(exchange: Intercepted): void {
    this.#begin(exchange, ERROR);
  }

  log(exchange: Intercepted): void {
    const view = this.#viewOf(exchange);
    view.moment = LOG;
    const record = recordOf(view);
    this.#readMs = this.#clock.nowMs();
    for (let i = 0; i < this.#logLinks.length; i++) {
      const link = this.#logLinks[i]!;
      this.#note(link, LOG);
      try {
        const outcome = link.hooks.onLog!(record, view);
        if (isPromise(outcome)) void this.#watch(view, link, outcome);
      } catch (error) {
        this.#tellThrown(view, link, LOG, error);
      }
      this.#spend(view, link, LOG);
    }
    view.moment = 0;
  }

  #viewOf(exchange: Intercepted): ExchangeView {
    if (exchange.edge === null) exchange.edge = new ExchangeView(exchange, this.#surroundings);
    return exchange.edge as ExchangeView;
  }

  #linksOf(moment: number): readonly Link[] {
    if (moment === REQUEST) return this.#requestLinks;
    if (moment === UPSTREAM) return this.#upstreamLinks;
    return moment === RESPONSE ? this.#responseLinks : this.#errorLinks;
  }

  #begin(exchange: Intercepted, moment: number): void {
    const view = this.#viewOf(exchange);
    view.moment = moment;
    view.isHeld = false;
    this.#advance(view, 0);
  }

  /** Calls hooks from number `index` on, until one answers, waits or fails for good. */
  #advance(view: ExchangeView, index: number): void {
    const { moment } = view;
    const links = this.#linksOf(moment);
    this.#readMs = this.#clock.nowMs();
    for (let i = index; i < links.length; i++) {
      const outcome = this.#ask(view, links[i]!);
      // It has failed for good, or the exchange has ended meanwhile.
      if (view.moment !== moment) return;
      if (outcome === undefined || outcome === null) continue;
      if (isPromise<HookOutcome>(outcome)) {
        this.#await(view, i, outcome);
        return;
      }
      if (this.#answer(view, links[i]!, outcome)) return;
      this.#readMs = this.#clock.nowMs();
    }
    this.#proceed(view);
  }

  #proceed(view: ExchangeView): void {
    view.moment = 0;
    view.openPipes();
    if (!view.isHeld) return;
    view.isHeld = false;
    view.exchange.proceed();
  }

  #ask(view: ExchangeView, link: Link): Outcome {
    const { moment } = view;
    this.#note(link, moment);
    let outcome: Outcome;
    try {
      outcome = callAt(moment, link.hooks, view);
    } catch (error) {
      this.#failed(view, link, "threw", error);
    }
    this.#spend(view, link, moment);
    return outcome;
  }

  /** Holds the exchange until `outcome` is settled, or late. */
  #await(view: ExchangeView, index: number, outcome: PromiseLike<HookOutcome>): void {
    const link = this.#linksOf(view.moment)[index]!;
    const turn = ++view.turn;
    if (!view.isHeld) {
      view.isHeld = true;
      view.exchange.hold();
    }
    view.timer = this.#clock.after(link.timeoutMs, () => {
      if (!this.#counts(view, turn)) return;
      this.#failed(view, link, "late", undefined);
      if (view.moment !== 0) this.#advance(view, index + 1);
    });
    new Promise<HookOutcome>((resolve) => resolve(outcome)).then(
      (result) => {
        if (!this.#counts(view, turn)) return;
        if (result !== undefined && result !== null && this.#answer(view, link, result)) return;
        this.#advance(view, index + 1);
      },
      (error: unknown) => {
        if (!this.#counts(view, turn)) return;
        this.#failed(view, link, "threw", error);
        if (view.moment !== 0) this.#advance(view, index + 1);
      },
    );
  }

  /** Whether what was waited for in `turn` still matters. It is over then in any case. */
  #counts(view: ExchangeView, turn: number): boolean {
    if (view.turn !== turn) return false;
    view.turn++;
    view.timer?.cancel();
    return view.exchange.isLive;
  }

  /**
   * Whether that is the verdict: it is not where what was returned is no answer, and the policy is to go on.
   */
  #answer(view: ExchangeView, link: Link, result: HookResult): boolean {
    const { moment } = view;
    try {
      const answer = prepareAnswer(result);
      view.moment = 0;
      view.isHeld = false;
      sendAnswer(view.exchange, answer, (error) => this.#tellThrown(view, link, moment, error));
      return true;
    } catch (error) {
      this.#failed(view, link, "threw", error);
      return view.moment === 0;
    }
  }

  /** Counts and tells it; `view.moment` is 0 afterwards where that was the verdict. */
  #failed(view: ExchangeView, link: Link, kind: "threw" | "late", error: unknown): void {
    const { moment, exchange } = view;
    if (!exchange.isLive) {
      view.moment = 0;
      return;
    }
    if (moment === REQUEST && isTooLarge(error)) {
      view.moment = 0;
      view.isHeld = false;
      sendAnswer(exchange, tooLargeAnswer(), () => {});
      return;
    }
    if (kind === "late" && link.isClosed && moment === REQUEST && view.request.awaitsClient) {
      view.moment = 0;
      view.isHeld = false;
      exchange.fail("body_late");
      return;
    }
    if (kind === "late") this.#tellLate(view, link);
    else this.#tellThrown(view, link, moment, error);
    // Where it is failing already, nothing can fail more: the usual answer follows.
    if (!link.isClosed || moment === ERROR) return;
    view.moment = 0;
    view.isHeld = false;
    exchange.fail(kind === "late" ? "hook_late" : "hook_threw");
  }

  async #watch(view: ExchangeView, link: Link, outcome: PromiseLike<unknown>): Promise<void> {
    try {
      await outcome;
    } catch (error) {
      this.#tellThrown(view, link, LOG, error);
    }
  }

  #tellThrown({ exchange }: ExchangeView, link: Link, moment: number, error: unknown): void {
    const { cells } = this.#surroundings;
    cells[Counter.hooksThrown]!++;
    this.#surroundings.tell({
      kind: "threw",
      hook: hookNameAt(moment),
      source: link.name,
      route: exchange.routeName,
      message: errorText(error),
    });
  }

  #tellLate({ exchange, moment }: ExchangeView, link: Link): void {
    this.#surroundings.cells[Counter.hooksLate]!++;
    this.#surroundings.tell({
      kind: "late",
      hook: hookNameAt(moment),
      source: link.name,
      route: exchange.routeName,
      message: `its promise was not settled within ${link.timeoutMs} ms`,
    });
  }

  /** A hook is about to be called: if it never returns, this is what is known of it. */
  #note(link: Link, moment: number): void {
    const { cells } = this.#surroundings;
    cells[Counter.hookCalls]!++;
    cells[HOOK_CALL] = link.number + moment;
  }

  /** A hook has returned. Reads the clock once: the next is called at once. */
  #spend(view: ExchangeView, link: Link, moment: number): void {
    this.#surroundings.cells[HOOK_CALL] = -(link.number + moment);
    const nowMs = this.#clock.nowMs();
    const tookMs = nowMs - this.#readMs;
    this.#readMs = nowMs;
    if (tookMs > link.budgetMs) this.#tellBudget(view, link, moment, tookMs);
  }

  #tellBudget({ exchange }: ExchangeView, link: Link, moment: number, tookMs: number): void {
    this.#surroundings.cells[Counter.hooksOverBudget]!++;
    this.#surroundings.tell({
      kind: "over_budget",
      hook: hookNameAt(moment),
      source: link.name,
      route: exchange.routeName,
      message: `it held the worker for ${tookMs.toFixed(1)} ms, its budget is ${link.budgetMs} ms`,
    });
  }
}

function callAt(moment: number, hooks: Hooks, view: ExchangeView): Outcome {
  if (moment === REQUEST) return hooks.onRequest!(view.request, view);
  if (moment === RESPONSE) return hooks.onResponse!(view.responseView(), view.request, view);
  if (moment === UPSTREAM) return hooks.onUpstream!(view.request, view.upstreamView(), view);
  return hooks.onError!(failureOf(view.exchange), view.request, view);
}

function failureOf(exchange: Intercepted): HookFailure {
  const { failureReason: reason, failureText: message, failureBy: by, status } = exchange;
  return { reason, message, status, by };
}

function hookNameAt(moment: number): HookName {
  return HOOK_NAMES.find((name) => HOOK_MOMENTS[name] === moment)!;
}

/** Nothing of what was returned or thrown can be trusted: looking at it may throw. */
function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if (typeof value !== "object" || value === null) return false;
  try {
    return typeof (value as { then?: unknown }).then === "function";
  } catch {
    // Whoever waits for it is told.
    return true;
  }
}

function isTooLarge(error: unknown): boolean {
  try {
    return error instanceof HookError && error.code === "body_too_large";
  } catch {
    return false;
  }
}
