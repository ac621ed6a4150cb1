/**
 * Which requests go on an idle backend connection.
 *
 * A backend may close an idle connection at the moment at which a request goes out on it. Then a request that
 * is not idempotent is lost: nobody knows whether it was carried out, so it is not repeated. Backends close
 * what has been idle for some seconds; what was used a moment ago they keep. So such a request takes only a
 * connection that was, and costs a new one where there is none: at a high rate there always is.
 *
 * @hot
 */
import type { EndpointState } from "../balance/endpoint.ts";
import { Method } from "../http1/message-head.ts";
import type { Exchange } from "./exchange.ts";
import type { Plane } from "./plane.ts";

const { POST, PATCH, CONNECT, other } = Method;
/** Below every idle timeout that is usual. */
const WARM_MS = 1000;

/** Whether `exchange` may take the idle connection to `endpoint` that was used last. */
export function mayReuse(
  { deadlines, nowMs, snapshot }: Plane,
  exchange: Exchange,
  endpoint: EndpointState,
): boolean {
  if (exchange.freshOnly) return false;
  if (isIdempotent(exchange.method)) return true;
  const connection = endpoint.lastIdle();
  if (connection < 0) return false;
  return deadlines.atMs(connection) - nowMs > snapshot.timeouts.originIdleMs - WARM_MS;
}

/** RFC 9110 §9.2.2. An extension method is not known to be. */
export function isIdempotent(method: number): boolean {
  return method !== other && method !== POST && method !== PATCH && method !== CONNECT;
}
