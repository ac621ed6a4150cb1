/** Tells the pump which exchanges hooks hold: the clock stands still as long as they do. */
import type { Chain, Intercepted } from "../contract/interception.ts";
import type { Pump } from "./pump.ts";

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
      if (key === "hold") pump.hold(target, () => target.isLive);
      if (ENDS_HOLD.includes(key)) pump.release(target);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
