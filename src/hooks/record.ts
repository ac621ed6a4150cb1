/** What `onLog` is given: plain data, made when the exchange is over. */
import type { ExchangeView } from "./exchange-view.ts";
import type { HookRecord } from "./hooks.ts";

export function recordOf({ exchange, request }: ExchangeView): HookRecord {
  // The head is given back early where slots are short.
  const hasHead = exchange.requestStart >= 0;
  return {
    id: hasHead ? request.id : "",
    method: hasHead ? request.method : "",
    target: hasHead ? request.target : "",
    host: hasHead ? request.host : "",
    route: exchange.routeName,
    client: request.client,
    status: exchange.status,
    durationMs: exchange.nowMs - exchange.startMs,
    requestBytes: exchange.requestBodyBytes,
    responseBytes: exchange.responseBodyBytes,
    cluster: request.cluster,
    endpoint: exchange.endpoint,
    attempts: exchange.attempts,
    failure: exchange.failureReason,
  };
}
