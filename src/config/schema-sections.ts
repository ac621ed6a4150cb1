/** The keys of `timeouts`, `limits` and `policy`. */
import { DEFAULT_LIMITS, DEFAULT_POLICY, DEFAULT_TIMEOUTS, FIELD_COUNT_MAX } from "../contract/snapshot.ts";
import { bytes, choice, duration, filled, integer, list, onOff, orList } from "./kinds.ts";
import { Problem, readNetwork } from "./values.ts";

const TIMES = "Timeouts";
const LIMIT = "Limits";
const RULES = "Policy";

function timeout(flag: string, text: string, danger: string, initialMs: number, min = 1) {
  return filled(duration({ group: TIMES, flag, text, danger }, initialMs, min));
}

export const TIMEOUTS = {
  connect: timeout(
    "connectTimeout",
    "To open a backend connection",
    "Short: a busy backend counts as dead. Long: clients wait for one that is dead.",
    DEFAULT_TIMEOUTS.connectMs,
  ),
  response: timeout(
    "responseTimeout",
    "Until a backend's response begins",
    "Short: slow answers become 504. Long: requests pile up before a backend that hangs.",
    DEFAULT_TIMEOUTS.responseHeadMs,
  ),
  responseIdle: timeout(
    "responseIdleTimeout",
    "Silence in a response body",
    "Short: slow streams are cut; text/event-stream is exempt.",
    DEFAULT_TIMEOUTS.responseBodyIdleMs,
  ),
  requestHead: timeout(
    "requestHeadTimeout",
    "To receive a request's head",
    "Long: clients that send a byte at a time hold connections.",
    DEFAULT_TIMEOUTS.requestHeadMs,
  ),
  requestIdle: timeout(
    "requestIdleTimeout",
    "Silence in a request body",
    "Short: uploads over bad networks end in 408. Long: as for requestHead.",
    DEFAULT_TIMEOUTS.requestBodyIdleMs,
  ),
  send: timeout(
    "sendTimeout",
    "A client that takes nothing of its response",
    "Long: clients that do not read hold buffers and backend connections.",
    DEFAULT_TIMEOUTS.clientSendIdleMs,
  ),
  clientIdle: timeout(
    "clientIdleTimeout",
    "A client connection between requests",
    "Shorter than that of a load balancer in front: it meets closed connections.",
    DEFAULT_TIMEOUTS.clientIdleMs,
  ),
  poolIdle: timeout(
    "poolIdleTimeout",
    "An unused backend connection",
    "Longer than the backend's own: requests meet closed connections, and those that may not be repeated fail.",
    DEFAULT_TIMEOUTS.originIdleMs,
  ),
  poolMaxAge: timeout(
    "poolMaxAge",
    "Age after which a backend connection is not used again",
    "Long: after a move, old connections keep going to the old place.",
    DEFAULT_TIMEOUTS.originAgeMs,
  ),
  request: timeout(
    "requestTimeout",
    "For a whole request, from its head to the end of its response; 0: no limit",
    "Any limit cuts long downloads and event streams.",
    DEFAULT_TIMEOUTS.requestMs,
    0,
  ),
  tunnel: timeout(
    "tunnelTimeout",
    "Silence in a WebSocket or in mode tcp",
    "Short: quiet WebSockets are cut.",
    DEFAULT_TIMEOUTS.tunnelIdleMs,
  ),
};

function count(flag: string, text: string, danger: string, initial: number, min: number, max: number) {
  return filled(integer({ group: LIMIT, flag, text, danger }, initial, min, max));
}

function size(flag: string, text: string, danger: string, initial: number, min: number, max: number) {
  return filled(bytes({ group: LIMIT, flag, text, danger }, initial, min, max));
}

export const LIMITS = {
  poolSize: count(
    "poolSize",
    "Idle connections kept per backend and worker",
    "Fewer than requests are in flight: connections are closed and opened all the time. 0: one for every request.",
    DEFAULT_LIMITS.poolSizePerEndpoint,
    0,
    65_536,
  ),
  clients: count(
    "maxClients",
    "Client connections per worker",
    "Connections beyond it are reset. It is lowered where file descriptors are short.",
    DEFAULT_LIMITS.clientsMax,
    1,
    1_000_000,
  ),
  head: size(
    "maxHeadBytes",
    "Head of a request (431 beyond it) or of a response (502)",
    "Low: long cookies are refused, and responses that set them. High: more memory per slow client.",
    DEFAULT_LIMITS.headBytesMax,
    256,
    65_536,
  ),
  target: size(
    "maxTargetBytes",
    "Request target; a longer one is answered 414",
    "Low: long queries are refused.",
    DEFAULT_LIMITS.targetBytesMax,
    16,
    65_536,
  ),
  body: size(
    "maxBodyBytes",
    "Body of a request; a larger one is answered 413; 0: no limit",
    "0: backends must defend themselves against large uploads.",
    DEFAULT_LIMITS.requestBodyBytesMax,
    0,
    2 ** 50,
  ),
  clientsPerAddress: count(
    "maxClientsPerAddress",
    "Client connections per worker from one address (IPv6: one /64); 0: no limit",
    "Behind another proxy or a NAT, many people are one address.",
    DEFAULT_LIMITS.clientsPerAddressMax,
    0,
    1_000_000,
  ),
  requests: count(
    "maxRequests",
    "Requests in flight per worker; one more is answered 503; 0: no limit",
    "0: when backends are slow, waiting requests grow up to the number of clients.",
    DEFAULT_LIMITS.requestsInFlightMax,
    0,
    1_000_000,
  ),
  requestsPerClient: count(
    "maxRequestsPerClient",
    "Requests until a client connection is closed, with notice; 0: no limit",
    "Low: clients connect again and again.",
    DEFAULT_LIMITS.requestsPerClientMax,
    0,
    2 ** 31 - 1,
  ),
  pipelined: count(
    "maxPipelined",
    "Requests in a row sent ahead of their answers until the connection is closed; 0: no limit",
    "Low: clients that pipeline connect again and again.",
    DEFAULT_LIMITS.pipelinedRequestsMax,
    0,
    1_000_000,
  ),
  fields: count(
    "maxFields",
    "Header fields of a request (431 beyond it) or of a response (502)",
    "Low: requests of chatty clients are refused, and responses with many cookies.",
    DEFAULT_LIMITS.fieldCountMax,
    1,
    FIELD_COUNT_MAX,
  ),
  queued: size(
    "maxQueuedBytes",
    "Waiting for a slow reader before the other side is held back",
    "High: memory for every slow reader. Low: less throughput over long distances.",
    DEFAULT_LIMITS.queuedBytesMax,
    4096,
    1024 ** 3,
  ),
};

const PATH_DANGERS = ["encoded-slash", "dot-segment", "nul"] as const;
type PathDanger = (typeof PATH_DANGERS)[number];

function readPathDanger(text: string): PathDanger | Problem {
  const known = PATH_DANGERS.find((word) => word === text.trim());
  return known ?? new Problem("is not a choice", `write ${orList(PATH_DANGERS)}`);
}

function rule<const T extends readonly string[]>(
  flag: string,
  text: string,
  danger: string,
  initial: T[number],
  choices: T,
) {
  return filled(choice({ group: RULES, flag, text, danger }, initial, choices));
}

export const POLICY = {
  underscoreNames: rule(
    "underscoreNames",
    "Field names with _, which many backends take for -",
    "pass: Content_Length or X_Real_IP of a client may count as Content-Length or X-Real-IP to a backend.",
    DEFAULT_POLICY.underscoreNames,
    ["drop", "reject", "pass"],
  ),
  rejectPaths: filled(
    list<PathDanger, PathDanger>(
      {
        group: RULES,
        flag: "rejectPaths",
        value: "LIST",
        text: "Paths answered 400: encoded-slash (%2F, %5C), dot-segment (.., also encoded), nul (%00)",
        danger:
          "Left out: backends that decode such paths may leave their folder. Set: some real URLs are refused.",
      },
      readPathDanger,
      { enum: [...PATH_DANGERS] },
    ),
  ),
  trustedProxies: filled(
    list(
      {
        group: RULES,
        flag: "trustedProxies",
        value: "CIDR",
        text: "Peers whose X-Forwarded-*, Forwarded and X-Request-Id are believed, like 10.0.0.0/8,::1",
        danger: "Whoever can connect from these addresses can claim any client address.",
      },
      readNetwork,
    ),
  ),
  requestId: rule(
    "requestId",
    "X-Request-Id: generate one; keep a trusted peer's or generate; off: pass on what comes",
    "off: a client chooses what stands in your backends' logs.",
    DEFAULT_POLICY.requestId,
    ["off", "keep", "generate"],
  ),
  forwarded: filled(
    onOff(
      {
        group: RULES,
        flag: "forwarded",
        text: "Write Forwarded (RFC 7239) beside X-Forwarded-*",
        danger: "",
      },
      DEFAULT_POLICY.forwarded,
    ),
  ),
  trailers: rule(
    "trailers",
    "Trailer fields: pass them on where asked for and allowed, or drop them",
    "pass: a backend that joins trailers to the header may be told late what it trusts early.",
    DEFAULT_POLICY.trailers,
    ["drop", "pass"],
  ),
  traceMethod: rule(
    "traceMethod",
    "TRACE: answer 405, or pass it on",
    "pass: an answer may show fields that a script must not see (RFC 9110 §9.3.8).",
    DEFAULT_POLICY.traceMethod,
    ["reject", "pass"],
  ),
  connectMethod: rule(
    "connectMethod",
    "CONNECT: answer 405, or pass it on and open a tunnel",
    "pass: a backend that is a proxy itself opens connections for anybody.",
    DEFAULT_POLICY.connectMethod,
    ["reject", "pass"],
  ),
  halfClosedClients: rule(
    "halfClosedClients",
    "A client that closes its sending side before it is answered: it has left (abort), or still reads (serve)",
    "serve: work goes on for clients that have left.",
    DEFAULT_POLICY.halfClosedClients,
    ["abort", "serve"],
  ),
};
