/**
 * What is to happen in one exchange: how the client asks, what the backend does, and what may go wrong on
 * either side. Drawn once, from the seed; what then became of it is noted on it.
 */
import type { Prng } from "../../src/base/prng.ts";
import type { RouteKind } from "./routes.ts";

/**
 * - calm: nothing is made to go wrong. Every request is answered as its backend answers it.
 * - mischief: clients and backends misbehave, and the proxy has all that it needs. Who behaves is served.
 * - wild: slots, connections, backends and time are short as well. Nothing is promised but the laws.
 */
export type Mood = "calm" | "mischief" | "wild";

export type Framing = "none" | "length" | "chunked" | "close";

/** What is wrong with a request. Those of `HEAD_FAULTS` must not reach a backend at all. */
export const HEAD_FAULTS = [
  "garbage",
  "length-and-chunked",
  "two-lengths",
  "signed-length",
  "chunked-in-1.0",
  "odd-coding",
  "space-before-colon",
  "folded",
  "bare-lf",
  "nul",
  "no-host",
  "two-hosts",
  "huge-head",
  "many-fields",
  "huge-target",
  "version-2",
  "half-a-head",
] as const;
/** Those of `BODY_FAULTS` must not reach one whole. */
export const BODY_FAULTS = ["bad-chunk-size", "bad-chunk-end", "huge-chunk-size", "half-a-body"] as const;
export type RequestFault = (typeof HEAD_FAULTS)[number] | (typeof BODY_FAULTS)[number] | "";

/** What a backend does instead of answering. */
export const HEAD_LIES = [
  "garbage",
  "length-and-chunked",
  "two-lengths",
  "bad-length",
  "switch",
  "huge-head",
  "bare-lf",
  "half-a-head",
  "silent",
  "fin",
  "reset",
] as const;
export const BODY_LIES = ["cut", "stalled-body", "bad-chunk"] as const;
/** The response is good, and something is behind it, in front of it, or comes later. */
export const SURPLUS_LIES = ["surplus", "late-surplus", "body-for-head", "flood"] as const;
export type Lie =
  | (typeof HEAD_LIES)[number]
  | (typeof BODY_LIES)[number]
  | (typeof SURPLUS_LIES)[number]
  | "";

/** How a backend ends its connection behind a response: not, as it said, or without a word. */
export type Goodbye = "none" | "said" | "unsaid";

export interface Plan {
  readonly id: number;
  readonly method: string;
  /** The client speaks HTTP/1.0. */
  readonly isOld: boolean;
  /** The client's `Connection`. */
  readonly connection: "" | "close" | "keep-alive";
  readonly requestFraming: Framing;
  readonly requestBytes: number;
  readonly requestChunkBytes: number;
  readonly requestPadBytes: number;
  readonly expects: boolean;
  readonly hasTrailers: boolean;
  readonly isUpgrade: boolean;
  /** The target has encoded slashes and dot segments. */
  readonly hasOddTarget: boolean;
  readonly fault: RequestFault;
  readonly route: RouteKind;

  readonly status: number;
  readonly responseFraming: Framing;
  readonly responseBytes: number;
  readonly responseChunkBytes: number;
  readonly responsePadBytes: number;
  readonly interims: number;
  /** Answers before it has read the body. */
  readonly isEarly: boolean;
  /** Sends 100 before it has read the body. */
  readonly invites: boolean;
  readonly isOldResponse: boolean;
  readonly goodbye: Goodbye;
  readonly thinkMs: number;
  readonly lie: Lie;
  /** The lie is told so many times; then the request is answered. */
  readonly lieCount: number;
  /** Where something is cut: 0 to 1. */
  readonly cutAt: number;
  /** Bytes through a tunnel, if there comes one. */
  readonly upBytes: number;
  readonly downBytes: number;

  /** What has become of it. */
  askedMs: number;
  /** When its answer was read whole. */
  answeredMs: number;
  metCount: number;
  metWholeCount: number;
  /** Status of the final response that the client has read the head of; 0: none. */
  answeredStatus: number;
  /** It came from a backend. */
  isServed: boolean;
  isAnswered: boolean;
  isTunnel: boolean;
  /** A hook has answered in place of a backend, with so many bytes; -1: none has. */
  hookedBytes: number;
  /** A response that goes through foreign code has no trailer fields. */
  hasLostTrailers: boolean;
  /** It was answered with what a backend had said unasked: nothing tells that from an answer. */
  isPoisoned: boolean;
}

export function isAmong<T>(kinds: readonly T[], kind: unknown): boolean {
  return kinds.includes(kind as T);
}

export function isIdempotent({ method }: Plan): boolean {
  return !["POST", "PATCH", "CONNECT"].includes(method);
}

/** Both sides mean well. */
export function isClean({ fault, lie, isEarly, goodbye }: Plan): boolean {
  return fault === "" && lie === "" && !isEarly && goodbye !== "unsaid";
}

/** It is answered whatever became of the connection that it was sent on first. */
export function isRepeatable(plan: Plan): boolean {
  return isIdempotent(plan) && plan.requestFraming === "none" && !plan.isUpgrade;
}

/** No request follows it on its connection. */
export function isLast(plan: Plan): boolean {
  return (
    plan.isOld ||
    plan.connection === "close" ||
    plan.fault !== "" ||
    plan.method === "CONNECT" ||
    plan.isTunnel
  );
}

/** Bounds what a plan asks for; drawn once per world. */
export interface Sizes {
  readonly bodyBytesMax: number;
  readonly padBytesMax: number;
}

/** What decides the rest of a plan. */
interface Kind {
  readonly mood: Mood;
  readonly isWicked: boolean;
  readonly mayEnd: boolean;
  readonly lie: Lie;
  readonly fault: RequestFault;
  readonly asksForTunnel: boolean;
  readonly isTunnel: boolean;
  readonly sizes: Sizes;
}

/** `mayEnd`: no request need follow it on its connection. */
export function drawPlan(prng: Prng, mood: Mood, id: number, mayEnd: boolean, sizes: Sizes): Plan {
  const isWicked = mood !== "calm" && prng.oneIn(mood === "wild" ? 3 : 4);
  const lie =
    isWicked && !prng.oneIn(3) ? oneOf<Lie>(prng, [...HEAD_LIES, ...BODY_LIES, ...SURPLUS_LIES]) : "";
  const isFaulty = isWicked && lie === "" && mayEnd && prng.oneIn(2);
  const fault = isFaulty ? oneOf<RequestFault>(prng, [...HEAD_FAULTS, ...BODY_FAULTS]) : "";
  const asksForTunnel = !isFaulty && lie === "" && prng.oneIn(12);
  const isTunnel = asksForTunnel && mayEnd && !prng.oneIn(4);
  const kind = { mood, isWicked, mayEnd, lie, fault, asksForTunnel, isTunnel, sizes };
  const request = drawRequest(prng, kind);
  return {
    id,
    fault,
    route: "",
    lie,
    isTunnel,
    ...request,
    ...drawResponse(prng, kind, request),
    lieCount: lie === "fin" || lie === "reset" ? prng.between(1, 5) : Infinity,
    cutAt: prng.below(1_000_000) / 1_000_000,
    upBytes: drawBytes(prng, sizes),
    downBytes: drawBytes(prng, sizes),
    askedMs: -1,
    answeredMs: -1,
    metCount: 0,
    metWholeCount: 0,
    answeredStatus: 0,
    isServed: false,
    isAnswered: false,
    hookedBytes: -1,
    hasLostTrailers: false,
    isPoisoned: false,
  };
}

type Request = Pick<
  Plan,
  | "method"
  | "isOld"
  | "connection"
  | "requestFraming"
  | "requestBytes"
  | "requestChunkBytes"
  | "requestPadBytes"
  | "expects"
  | "hasTrailers"
  | "isUpgrade"
  | "hasOddTarget"
>;

function drawRequest(prng: Prng, kind: Kind): Request {
  const { mood, mayEnd, fault, asksForTunnel, isTunnel, sizes } = kind;
  const isBodyFault = isAmong(BODY_FAULTS, fault);
  const isConnect = isTunnel && mood === "wild" && prng.oneIn(4);
  const isUpgrade = asksForTunnel && !isConnect;
  const isOld = mayEnd && fault === "" && !asksForTunnel && prng.oneIn(10);
  const method = isConnect ? "CONNECT" : isUpgrade ? "GET" : drawMethod(prng, kind);
  const hasBody = isBodyFault || (!asksForTunnel && oneOf(prng, HAS_BODY_CHANCES[method] ?? [false]));
  const needsChunks = isBodyFault && fault !== "half-a-body";
  const withBody = needsChunks ? "chunked" : isOld ? "length" : oneOf(prng, ["length", "chunked"] as const);
  const requestBytes = hasBody ? drawBytes(prng, sizes) + (isBodyFault ? 10 : 0) : 0;
  const mayClose = mayEnd && fault === "" && !asksForTunnel;
  return {
    method,
    isOld,
    connection: mayClose && prng.oneIn(8) ? "close" : isOld && prng.oneIn(2) ? "keep-alive" : "",
    requestFraming: hasBody ? withBody : "none",
    requestBytes,
    requestChunkBytes: chunkBytes(prng, requestBytes),
    requestPadBytes: drawPad(prng, sizes),
    expects: hasBody && !isOld && fault === "" && prng.oneIn(6),
    hasTrailers: prng.oneIn(8),
    isUpgrade,
    hasOddTarget: prng.oneIn(10),
  };
}

function drawMethod(prng: Prng, { lie, fault }: Kind): string {
  if (isAmong(BODY_FAULTS, fault)) return "POST";
  if (lie === "body-for-head") return "HEAD";
  if (isAmong(BODY_LIES, lie)) return oneOf(prng, ["GET", "POST"]);
  return oneOf(prng, ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);
}

type Response = Pick<
  Plan,
  | "status"
  | "responseFraming"
  | "responseBytes"
  | "responseChunkBytes"
  | "responsePadBytes"
  | "interims"
  | "isEarly"
  | "invites"
  | "isOldResponse"
  | "goodbye"
  | "thinkMs"
>;

function drawResponse(prng: Prng, kind: Kind, { isUpgrade, requestFraming }: Request): Response {
  const { mood, isWicked, lie, fault, asksForTunnel, isTunnel, sizes } = kind;
  const isCut = isAmong(BODY_LIES, lie);
  const status = isTunnel
    ? isUpgrade
      ? 101
      : 200
    : asksForTunnel
      ? 403
      : isCut
        ? 200
        : oneOf(prng, STATUSES);
  const isBodiless = status === 204 || status === 304;
  // What lies behind a body that the end of the connection ends belongs to it.
  const third: Framing = isAmong(SURPLUS_LIES, lie) ? "length" : "close";
  const drawn = oneOf<Framing>(prng, ["length", "length", "chunked", "chunked", third]);
  const responseFraming: Framing = isBodiless ? "none" : lie === "bad-chunk" ? "chunked" : drawn;
  const responseBytes = isBodiless ? 0 : drawBytes(prng, sizes) + (isCut ? 2 : 0);
  const isOldResponse = responseFraming !== "chunked" && !isTunnel && prng.oneIn(12);
  const isLast = responseFraming === "close" || isOldResponse;
  const isEarly = isWicked && lie === "" && requestFraming !== "none" && fault === "" && prng.oneIn(2);
  const goodbye = isLast || prng.oneIn(10) ? "said" : isWicked && prng.oneIn(2) ? "unsaid" : "none";
  return {
    status,
    responseFraming,
    responseBytes,
    responseChunkBytes: chunkBytes(prng, responseBytes),
    responsePadBytes: drawPad(prng, sizes),
    interims: prng.oneIn(10) ? prng.between(1, 3) : 0,
    isEarly,
    invites: mood === "calm" || !prng.oneIn(4),
    isOldResponse,
    goodbye: isTunnel ? "none" : goodbye,
    thinkMs: prng.oneIn(3) ? prng.below(40) : 0,
  };
}

const STATUSES = [200, 200, 200, 200, 204, 304, 404, 500] as const;
const HAS_BODY_CHANCES: Readonly<Record<string, readonly boolean[]>> = {
  POST: [true, true, true, false],
  PUT: [true],
  PATCH: [true, false],
  DELETE: [true, false, false, false],
  GET: [false, false, false, false, false, false, true],
};

function drawBytes(prng: Prng, { bodyBytesMax }: Sizes): number {
  const bound = oneOf(prng, [1, 20, 20, 300, 300, 3_000, 3_000, 12_000, 90_000]);
  return prng.below(Math.min(bodyBytesMax, bound) + 1);
}

function drawPad(prng: Prng, { padBytesMax }: Sizes): number {
  return prng.oneIn(4) ? prng.below(prng.oneIn(8) ? padBytesMax : Math.min(300, padBytesMax)) : 0;
}

/** Where chunks end: some dozens of them at most. */
function chunkBytes(prng: Prng, bodyBytes: number): number {
  return prng.between(1 + (bodyBytes >> 6), 9_000);
}

function oneOf<T>(prng: Prng, choices: readonly T[]): T {
  return choices[prng.below(choices.length)]!;
}
