/**
 * Everything that can end an exchange other than its response: whose doing, in which phase, what the client
 * is told. One table.
 */
import { Counter } from "../contract/counters.ts";
import { Errno } from "../contract/errno.ts";
import type { HookFailureReason } from "../contract/interception.ts";
import type { FailureNotice } from "../contract/notices.ts";
import { FAULTS, Fault } from "../http1/fault.ts";

export interface Failure {
  /** Stable word for logs and metrics. */
  readonly reason: string;
  readonly by: FailureNotice["by"];
  /** "": wherever the exchange stands when it happens. */
  readonly phase: FailureNotice["phase"] | "";
  /** What the client is told if its response has not begun; 0: nothing, the connection ends. */
  readonly status: number;
  /** Error type for `Proxy-Status` (RFC 9209 §2.3); "" where the client is told nothing. */
  readonly proxyError: string;
  /** One sentence for the body of the answer and for the log. */
  readonly text: string;
  readonly counter: Counter;
}

function failure(
  reason: string,
  by: Failure["by"],
  phase: Failure["phase"],
  status: number,
  counter: Counter,
  proxyError: string,
  text: string,
): Failure {
  return Object.freeze({ reason, by, phase, status, counter, proxyError, text });
}

export const Failures = {
  connectRefused: failure(
    "connect_refused",
    "origin",
    "connect",
    502,
    Counter.errorConnectRefused,
    "connection_refused",
    "The backend refused the connection.",
  ),
  connectTimeout: failure(
    "connect_timeout",
    "origin",
    "connect",
    504,
    Counter.errorConnectTimeout,
    "connection_timeout",
    "The backend did not accept a connection in time.",
  ),
  connectUnreachable: failure(
    "connect_unreachable",
    "origin",
    "connect",
    502,
    Counter.errorConnectOther,
    "destination_ip_unroutable",
    "There is no route to the backend.",
  ),
  connectFailed: failure(
    "connect_failed",
    "origin",
    "connect",
    502,
    Counter.errorConnectOther,
    "connection_terminated",
    "The backend could not be connected to.",
  ),
  noEndpoint: failure(
    "no_endpoint",
    "proxy",
    "connect",
    503,
    Counter.errorNoEndpoint,
    "destination_unavailable",
    "No backend is available.",
  ),
  originReset: failure(
    "origin_reset",
    "origin",
    "response-head",
    502,
    Counter.errorOriginReset,
    "connection_terminated",
    "The backend closed the connection before it answered.",
  ),
  responseTimeout: failure(
    "response_timeout",
    "origin",
    "response-head",
    504,
    Counter.errorOriginTimeout,
    "http_response_timeout",
    "The backend did not answer in time.",
  ),
  badResponse: failure(
    "bad_response",
    "origin",
    "response-head",
    502,
    Counter.errorBadResponse,
    "http_protocol_error",
    "The backend sent something that is not a valid HTTP response.",
  ),
  responseHeadTooLarge: failure(
    "response_head_too_large",
    "origin",
    "response-head",
    502,
    Counter.errorBadResponse,
    "http_response_header_section_size",
    "The response head of the backend is larger than this proxy allows.",
  ),
  responseCut: failure(
    "response_cut",
    "origin",
    "response-body",
    0,
    Counter.errorResponseCut,
    "",
    "The backend closed the connection inside the response body.",
  ),
  responseStalled: failure(
    "response_stalled",
    "origin",
    "response-body",
    0,
    Counter.errorResponseIdle,
    "",
    "The backend fell silent inside the response body.",
  ),
  tunnelCut: failure(
    "tunnel_cut",
    "origin",
    "tunnel",
    0,
    Counter.errorResponseCut,
    "",
    "The backend broke the tunnel off.",
  ),
  clientGone: failure(
    "client_gone",
    "client",
    "",
    0,
    Counter.errorClientGone,
    "",
    "The client left before its response was complete.",
  ),
  clientStalled: failure(
    "client_stalled",
    "client",
    "",
    0,
    Counter.errorClientStalled,
    "",
    "The client did not take its response in time.",
  ),
  requestTimeout: failure(
    "request_timeout",
    "client",
    "request-head",
    408,
    Counter.errorRequestHeadTimeout,
    "http_request_error",
    "The request head did not arrive in time.",
  ),
  bodyTimeout: failure(
    "request_body_timeout",
    "client",
    "request-body",
    408,
    Counter.errorRequestBodyTimeout,
    "http_request_error",
    "The request body did not arrive in time.",
  ),

  overload: failure(
    "overload",
    "proxy",
    "",
    503,
    Counter.errorOverload,
    "proxy_internal_error",
    "The proxy is out of buffers.",
  ),
  noConnection: failure(
    "no_connection",
    "proxy",
    "connect",
    503,
    Counter.errorOverload,
    "connection_limit_reached",
    "The proxy is out of connections.",
  ),
  turnedAway: failure(
    "connections_max",
    "proxy",
    "request-head",
    0,
    Counter.refusedConnectionsMax,
    "",
    "The proxy is out of connections, and cannot let more clients wait.",
  ),
  requestDeadline: failure(
    "request_deadline",
    "proxy",
    "",
    504,
    Counter.errorRequestDeadline,
    "http_response_timeout",
    "The request took longer than this proxy allows.",
  ),
  drainCut: failure(
    "drain_cut",
    "proxy",
    "",
    503,
    Counter.errorDrainCut,
    "proxy_internal_error",
    "This proxy no longer listens here, and the request did not end in time.",
  ),
  bodyTooLarge: failure(
    "request_body_too_large",
    "client",
    "request-body",
    413,
    Counter.errorBodyTooLarge,
    "http_request_error",
    "The request body is larger than this proxy allows.",
  ),
  tooManyInFlight: failure(
    "too_many_in_flight",
    "proxy",
    "request-head",
    503,
    Counter.errorTooManyInFlight,
    "connection_limit_reached",
    "This proxy has as many requests in flight as it may.",
  ),
  underscoreName: failure(
    "underscore_name",
    "client",
    "request-head",
    400,
    Counter.errorPolicy,
    "http_request_denied",
    "A header field name contains an underscore.",
  ),
  pathRefused: failure(
    "path_refused",
    "client",
    "request-head",
    400,
    Counter.errorPolicy,
    "http_request_denied",
    "The path contains an encoding or a segment that this proxy refuses.",
  ),
  httpsTarget: failure(
    "https_target",
    "client",
    "request-head",
    421,
    Counter.errorPolicy,
    "http_request_denied",
    "The target is an https URI, and it did not come over TLS.",
  ),
  traceMethod: failure(
    "trace_method",
    "client",
    "request-head",
    405,
    Counter.errorPolicy,
    "http_request_denied",
    "This proxy does not pass on TRACE requests.",
  ),
  loop: failure(
    "loop",
    "client",
    "request-head",
    502,
    Counter.errorLoop,
    "proxy_loop_detected",
    "The request has passed this proxy before.",
  ),
  noRoute: failure(
    "no_route",
    "client",
    "request-head",
    404,
    Counter.errorNoRoute,
    "destination_not_found",
    "Nothing is configured for this host and path.",
  ),
  editedHeadTooLarge: failure(
    "edited_head_too_large",
    "client",
    "request-head",
    431,
    Counter.errorHeadTooLarge,
    "http_request_error",
    "The request is too large for what the proxy or its route adds to it.",
  ),
  locationTooLong: failure(
    "location_too_long",
    "client",
    "request-head",
    414,
    Counter.errorTargetTooLong,
    "http_request_error",
    "The request is too long for the redirect that its route makes of it.",
  ),
  editedResponseTooLarge: failure(
    "edited_response_too_large",
    "proxy",
    "response-head",
    502,
    Counter.errorBadResponse,
    "http_response_header_section_size",
    "The response head is too large for what its route adds to it.",
  ),
  rateLimited: failure(
    "rate_limited",
    "client",
    "request-head",
    429,
    Counter.errorRateLimited,
    "http_request_denied",
    "This client sends more requests than it may.",
  ),
  routeTooManyInFlight: failure(
    "route_too_many_in_flight",
    "proxy",
    "request-head",
    503,
    Counter.errorTooManyInFlight,
    "connection_limit_reached",
    "This route has as many requests in flight as it may.",
  ),
  originDenied: failure(
    "origin_denied",
    "client",
    "request-head",
    403,
    Counter.errorPolicy,
    "http_request_denied",
    "Pages of this origin may not use what is here.",
  ),
  clientDenied: failure(
    "client_denied",
    "client",
    "request-head",
    403,
    Counter.errorPolicy,
    "http_request_denied",
    "This client may not come here.",
  ),
  traceBody: failure(
    "trace_body",
    "client",
    "request-head",
    400,
    Counter.errorBadRequest,
    "http_request_denied",
    "A TRACE request has no body.",
  ),
  connectBody: failure(
    "connect_body",
    "client",
    "request-head",
    400,
    Counter.errorBadRequest,
    "http_request_denied",
    "A CONNECT request has no body.",
  ),
  connectMethod: failure(
    "connect_method",
    "client",
    "request-head",
    405,
    Counter.errorPolicy,
    "http_request_denied",
    "This proxy opens no tunnels (method CONNECT).",
  ),
  hookThrew: failure(
    "hook_threw",
    "proxy",
    "",
    500,
    Counter.errorHookThrew,
    "proxy_internal_error",
    "A hook of this proxy has failed.",
  ),
  hookLate: failure(
    "hook_late",
    "proxy",
    "",
    500,
    Counter.errorHookLate,
    "proxy_internal_error",
    "A hook of this proxy did not decide in time.",
  ),
  hookStalled: failure(
    "hook_stalled",
    "proxy",
    "",
    500,
    Counter.errorHookStalled,
    "proxy_internal_error",
    "A hook of this proxy fell silent inside a body.",
  ),
} as const;

/** `rateLimited` as a route tells it: with `status`. */
export function rateLimitedWith(status: number): Failure {
  return Object.freeze({ ...Failures.rateLimited, status });
}

/** What it means that a chain of hooks has failed. */
export function hookFailure(reason: HookFailureReason): Failure {
  if (reason === "hook_late") return Failures.hookLate;
  if (reason === "body_late") return Failures.bodyTimeout;
  return reason === "hook_stalled" ? Failures.hookStalled : Failures.hookThrew;
}

/**
 * Error type for `Proxy-Status` of an answer to a request that could not be read: `http_request_error` is for
 * 4xx only (RFC 9209 §2.3.16).
 */
export function faultProxyError(status: number): string {
  return status < 500 ? "http_request_error" : "proxy_internal_response";
}

/** Whether a `connect` failed with `errno` because this process, or the system, has no connection left to give. */
export function isShortage(errno: number): boolean {
  return errno === Errno.EMFILE || errno === Errno.ENFILE || errno === Errno.ENOBUFS;
}

/** What a failed `connect` with `errno` means. */
export function connectFailure(errno: number): Failure {
  if (errno === Errno.ECONNREFUSED || errno === Errno.ENOENT) return Failures.connectRefused;
  if (isShortage(errno)) return Failures.noConnection;
  if (errno === Errno.ENETUNREACH || errno === Errno.EHOSTUNREACH) return Failures.connectUnreachable;
  if (errno === Errno.ETIMEDOUT) return Failures.connectTimeout;
  return Failures.connectFailed;
}

/** What a response head with `fault` means. */
export function responseHeadFailure(fault: Fault): Failure {
  const isTooLarge = fault === Fault.headTooLarge || fault === Fault.tooManyFields;
  return isTooLarge ? Failures.responseHeadTooLarge : Failures.badResponse;
}

/** One sentence for the log about a response head with `fault`. */
export function responseFaultText(fault: Fault): string {
  if (fault === Fault.headTooLarge) return "It has more bytes than --max-head-bytes allows.";
  if (fault === Fault.tooManyFields) return "It has more fields than --max-fields allows.";
  return FAULTS[fault].text;
}

/** What counts requests with `fault`. */
export function faultCounter(fault: Fault): Counter {
  if (fault === Fault.headTooLarge || fault === Fault.tooManyFields) return Counter.errorHeadTooLarge;
  return fault === Fault.targetTooLong ? Counter.errorTargetTooLong : Counter.errorBadRequest;
}
