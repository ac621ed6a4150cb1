/**
 * Tells the pump what hooks are at: exchanges that they hold, bodies that they change, answers that they write. The
 * clock stands still meanwhile.
 */
import type { BodySink, BodyStage, Chain, HookFailureReason, Intercepted } from "../contract/interception.ts";
import { ENDED } from "../hooks/ended-exchange.ts";
import type { ExchangeView } from "../hooks/exchange-view.ts";
import type { Pump, Work } from "./pump.ts";

const ENDS_HOLD: readonly (string | symbol)[] = ["proceed", "answer", "fail"];

/** `chains` that are seen by `pump`. */
export function watched(chains: readonly Chain[], pump: Pump): Chain[] {
  const seen = new WeakMap<Intercepted, Intercepted>();
  const view = (exchange: Intercepted): Intercepted => {
    const known = seen.get(exchange) ?? viewOf(exchange, pump);
    seen.set(exchange, known);
    pump.touch();
    return known;
  };
  return chains.map((chain) => ({
    moments: chain.moments,
    request: (exchange) => chain.request(view(exchange)),
    upstream: (exchange) => chain.upstream(view(exchange)),
    response: (exchange) => chain.response(view(exchange)),
    error: (exchange) => chain.error(view(exchange)),
    log: (exchange) => chain.log(view(exchange)),
  }));
}

function viewOf(exchange: Intercepted, pump: Pump): Intercepted {
  return new Proxy(exchange, {
    get(target, key) {
      if (key === "hold") pump.hold(target, new Holding(target));
      if (ENDS_HOLD.includes(key)) pump.release(target);
      if (key === "answer")
        return (status: number, lines: Uint8Array, bodyBytes: number) =>
          new WatchedAnswer(target.answer(status, lines, bodyBytes), pump);
      if (key === "transform")
        return (...given: Parameters<Intercepted["transform"]>) => {
          const view = target.edge as ExchangeView;
          pump.hold(view, new Changing(view));
          const [which, stage, keepsLength] = given;
          return target.transform(which, touching(stage, pump), keepsLength);
        };
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** `stage`; what follows from its end runs at once. */
function touching(stage: BodyStage, pump: Pump): BodyStage {
  return {
    feed: (memory, start, end) => stage.feed(memory, start, end),
    end() {
      pump.touch();
      stage.end();
    },
    abort() {
      pump.touch();
      stage.abort();
    },
    drained: () => stage.drained(),
  };
}

/** Hooks hold an exchange. Who can only wait for more of its body does not hold the clock. */
class Holding implements Work {
  readonly #exchange: Intercepted;

  constructor(exchange: Intercepted) {
    this.#exchange = exchange;
  }

  get isOver(): boolean {
    return !this.#exchange.isLive;
  }

  get isBusy(): boolean {
    return !(this.#exchange.edge as ExchangeView).isGathering;
  }
}

/** Bodies of an exchange pass through hooks. */
class Changing implements Work {
  readonly #view: ExchangeView;

  constructor(view: ExchangeView) {
    this.#view = view;
  }

  get isOver(): boolean {
    return this.#view.exchange === ENDED;
  }

  get isBusy(): boolean {
    return this.#view.isAtWork;
  }
}

/** The answer of a hook, whose body may come piece by piece. */
class WatchedAnswer implements BodySink, Work {
  isOver = false;
  isBusy = true;
  onDrained: (() => void) | null = null;
  onAborted: (() => void) | null = null;
  readonly #sink: BodySink;
  readonly #pump: Pump;

  constructor(sink: BodySink, pump: Pump) {
    this.#sink = sink;
    this.#pump = pump;
    sink.onDrained = () => {
      this.isBusy = true;
      pump.touch();
      this.onDrained?.();
    };
    sink.onAborted = () => {
      this.isOver = true;
      pump.touch();
      this.onAborted?.();
    };
    pump.hold(this, this);
  }

  write(bytes: Uint8Array): boolean {
    const goOn = this.#sink.write(bytes);
    this.isBusy = goOn;
    return goOn;
  }

  end(): void {
    this.#pump.release(this);
    this.#sink.end();
  }

  fail(reason: HookFailureReason): void {
    this.#pump.release(this);
    this.#sink.fail(reason);
  }

  more(): void {
    this.#sink.more();
  }
}
