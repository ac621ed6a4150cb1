/**
 * Everything that can end an exchange other than its response: whose doing, in which phase, what the client
 * is told. One table.
 */
import { Counter } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import type { FailureNotice } from "../contract/notices.ts";

export interface Failure {
  /** Stable word for logs and metrics. */
  readonly reason: string;
  readonly by: FailureNotice["by"];
  readonly phase: FailureNotice["phase"];
  /** What the client is told if its response has not begun; 0: nothing, the connection ends. */
  readonly status: number;
  /** One sentence for the body of the answer. */
  readonly text: string;
  readonly counter: Counter;
}

function failure(
  reason: string,
  by: Failure["by"],
  phase: Failure["phase"],
  status: number,
  counter: Counter,
  text: string,
): Failure {
  return Object.freeze({ reason, by, phase, status, text, counter });
}

export const Failures = {
  connectRefused: failure(
    "connect_refused",
    "origin",
    "connect",
    502,
    Counter.errorConnectRefused,
    "The backend refused the connection.",
  ),
  connectTimeout: failure(
    "connect_timeout",
    "origin",
    "connect",
    504,
    Counter.errorConnectTimeout,
    "The backend did not accept a connection in time.",
  ),
  connectFailed: failure(
    "connect_failed",
    "origin",
    "connect",
    502,
    Counter.errorConnectOther,
    "The backend could not be reached.",
  ),
  noEndpoint: failure(
    "no_endpoint",
    "proxy",
    "connect",
    503,
    Counter.errorNoEndpoint,
    "No backend is available.",
  ),
  originReset: failure(
    "origin_reset",
    "origin",
    "response-head",
    502,
    Counter.errorOriginReset,
    "The backend closed the connection before it answered.",
  ),
  responseTimeout: failure(
    "response_timeout",
    "origin",
    "response-head",
    504,
    Counter.errorOriginTimeout,
    "The backend did not answer in time.",
  ),
  badResponse: failure(
    "bad_response",
    "origin",
    "response-head",
    502,
    Counter.errorBadResponse,
    "The backend sent something that is not a valid HTTP response.",
  ),
  responseCut: failure(
    "response_cut",
    "origin",
    "response-body",
    0,
    Counter.errorResponseCut,
    "The backend closed the connection inside the response body.",
  ),
  responseStalled: failure(
    "response_stalled",
    "origin",
    "response-body",
    0,
    Counter.errorOriginTimeout,
    "The backend fell silent inside the response body.",
  ),
  clientGone: failure(
    "client_gone",
    "client",
    "response-head",
    0,
    Counter.errorClientGone,
    "The client left before its response was complete.",
  ),
  clientStalled: failure(
    "client_stalled",
    "client",
    "response-body",
    0,
    Counter.errorClientGone,
    "The client did not take its response in time.",
  ),
  requestTimeout: failure(
    "request_timeout",
    "client",
    "request-head",
    408,
    Counter.errorRequestTimeout,
    "The request head did not arrive in time.",
  ),
  bodyTimeout: failure(
    "request_body_timeout",
    "client",
    "request-body",
    408,
    Counter.errorRequestTimeout,
    "The request body fell silent.",
  ),
  badBody: failure(
    "bad_request_body",
    "client",
    "request-body",
    400,
    Counter.errorBadRequest,
    "The request body is not validly framed.",
  ),
  overload: failure(
    "overload",
    "proxy",
    "request-head",
    503,
    Counter.errorOverload,
    "The proxy is out of buffers.",
  ),
  noConnection: failure(
    "no_connection",
    "proxy",
    "connect",
    503,
    Counter.errorOverload,
    "The proxy is out of connections.",
  ),
  connectMethod: failure(
    "connect_method",
    "client",
    "request-head",
    405,
    Counter.errorBadRequest,
    "This proxy opens no tunnels (method CONNECT).",
  ),
} as const;

/** What a failed `connect` with `errno` means. */
export function connectFailure(errno: number): Failure {
  if (errno === Errno.ECONNREFUSED || errno === Errno.ENOENT) return Failures.connectRefused;
  if (errno === Errno.EMFILE || errno === Errno.ENFILE || errno === Errno.ENOBUFS)
    return Failures.noConnection;
  if (errno === Errno.ETIMEDOUT) return Failures.connectTimeout;
  return Failures.connectFailed;
}
