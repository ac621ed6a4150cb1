/** One proxied GET in the data plane alone: a session over a port that does nothing. */
import { prepareExchanges } from "../../src/session/http-session.bench.ts";
import { type Micro, smokeMicros } from "./micro.ts";

export const MICROS: readonly Micro[] = [
  { name: "one exchange, small GET", bytes: 0, prepare: prepareExchanges },
];

export function smoke(): void {
  smokeMicros(MICROS);
}
