/** The bytes of planned messages, good and bad, in the pieces in which they are written. */
import { Prng } from "../../src/base/prng.ts";
import { bodyOf, Way } from "./pattern.ts";
import { BODY_FAULTS, type Framing, isAmong, type Lie, type Plan, type RequestFault } from "./plan.ts";

const CRLF = Buffer.from("\r\n");
const PADDING = paddingText();
/** Not a byte of this may ever be taken for a request. */
const TRAP = "GET /trap HTTP/1.1\r\nHost: sim\r\nX-Id: 0\r\n\r\n";
export const TRAILER = "X-Sum: 1\r\n";
const EXTENSION = ';note="a b"';
/** An interim response that nobody planned ends a backend's patience here. */
const FLOOD_INTERIMS = 300;

/** Text of `bytes` characters that belongs to exchange `id`. */
export function padOf(id: number, bytes: number): string {
  const start = (id * 37) % 1_000;
  return PADDING.slice(start, start + bytes);
}

/** As a client asks for it. */
export function targetOf(plan: Plan): string {
  return plan.route === "" ? plainTarget(plan) : `/${plan.route}${plainTarget(plan)}`;
}

/** As it reaches a backend. */
export function rewrittenTarget(plan: Plan): string {
  return plan.route === "edit" ? plainTarget(plan) : targetOf(plan);
}

function plainTarget({ id, method, hasOddTarget }: Plan): string {
  if (method === "CONNECT") return "sim.example:443";
  return hasOddTarget ? `/x/${id}/a%2Fb/./c//d?q=%00` : `/x/${id}?q=1`;
}

export function requestHead(plan: Plan): string {
  const { id, method, requestFraming: framing, isUpgrade } = plan;
  const options = [plan.connection, isUpgrade ? "Upgrade" : "", plan.hasTrailers ? "TE" : ""].filter(
    (o) => o !== "",
  );
  return (
    `${method} ${targetOf(plan)} HTTP/1.${plan.isOld ? 0 : 1}\r\n` +
    `Host: ${method === "CONNECT" ? "sim.example:443" : "sim"}\r\nX-Id: ${id}\r\n` +
    (options.length > 0 ? `Connection: ${options.join(", ")}\r\n` : "") +
    (plan.hasTrailers ? "TE: trailers\r\n" : "") +
    (isUpgrade ? "Upgrade: sim\r\n" : "") +
    (plan.expects ? "Expect: 100-continue\r\n" : "") +
    (plan.requestPadBytes > 0 ? `X-Pad: ${padOf(id, plan.requestPadBytes)}\r\n` : "") +
    `${framingLine(framing, plan.requestBytes)}\r\n`
  );
}

export function requestBody(plan: Plan): Buffer[] {
  const { id, requestBytes, requestFraming, requestChunkBytes, fault, cutAt } = plan;
  const body: Buffer = bodyOf(id, Way.request, requestBytes);
  if (requestFraming === "none") return [];
  const pieces: Buffer[] =
    requestFraming === "chunked" ? chunks(body, requestChunkBytes, plan.hasTrailers) : [body];
  if (!isAmong(BODY_FAULTS, fault)) return pieces;
  const half = cut(pieces, cutAt);
  if (fault === "half-a-body") return half;
  // At the end of a chunk, or inside its data, where it is no fault: so the body begins anew with a bad one.
  const bad = {
    "bad-chunk-size": "0x5\r\nhello\r\n",
    "bad-chunk-end": `5\r\n${body.toString("latin1", 0, 5)}!\r\n`,
  }[fault as string];
  return [Buffer.from((bad ?? "fffffffffffffffff\r\n") + TRAP, "latin1")];
}

/** A request that is refused for its head, with a trap behind it. */
export function faultyRequest(plan: Plan): Buffer {
  const { id } = plan;
  const lines = FAULTY[plan.fault];
  const text = lines === undefined ? `GET /x/${id} HTTP/1.1\r\nHost: s` : `${lines(id)}${TRAP}`;
  return Buffer.from(text, "latin1");
}

function post(id: number, lines: string, body = ""): string {
  return `POST /x/${id} HTTP/1.1\r\nHost: sim\r\nX-Id: ${id}\r\n${lines}\r\n${body}`;
}

const FAULTY: Partial<Record<RequestFault, (id: number) => string>> = {
  garbage: () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  "length-and-chunked": (id) => post(id, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  "two-lengths": (id) => post(id, `Content-Length: 0\r\nContent-Length: ${TRAP.length}\r\n`),
  "signed-length": (id) => post(id, "Content-Length: +5\r\n", "hello"),
  "chunked-in-1.0": (id) =>
    post(id, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"),
  "odd-coding": (id) => post(id, "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n"),
  "space-before-colon": (id) => post(id, `Content-Length : ${TRAP.length}\r\n`),
  folded: (id) => post(id, "X-A: 1\r\n Content-Length: 5\r\n"),
  "bare-lf": (id) => `GET /x/${id} HTTP/1.1\nHost: sim\nX-Id: ${id}\n\n`,
  nul: (id) => post(id, "X-A: a\0b\r\nContent-Length: 0\r\n"),
  "no-host": (id) => `GET /x/${id} HTTP/1.1\r\nX-Id: ${id}\r\n\r\n`,
  "two-hosts": (id) => post(id, "Host: sim\r\nContent-Length: 0\r\n"),
  "huge-head": (id) => post(id, `X-A: ${"a".repeat(70_000)}\r\n`),
  "many-fields": (id) => post(id, "X-A: a\r\n".repeat(200)),
  "huge-target": (id) => `GET /x/${id}/${"a".repeat(9_000)} HTTP/1.1\r\nHost: sim\r\nX-Id: ${id}\r\n\r\n`,
  "version-2": (id) => `GET /x/${id} HTTP/2.0\r\nHost: sim\r\nX-Id: ${id}\r\n\r\n`,
};

/** What a backend writes for `plan` if it does not lie. */
export function response(plan: Plan): Buffer[] {
  const { id, status, responseFraming: framing, responseBytes, lie } = plan;
  const interims = lie === "flood" ? FLOOD_INTERIMS : plan.interims;
  const head =
    INTERIM.repeat(interims) +
    `HTTP/1.${plan.isOldResponse ? 0 : 1} ${status} Said\r\nX-Id: ${id}\r\n` +
    (plan.goodbye === "said" ? "Connection: close\r\n" : "") +
    (plan.isTunnel && plan.isUpgrade ? "Connection: Upgrade\r\nUpgrade: sim\r\n" : "") +
    (plan.responsePadBytes > 0 ? `X-Pad: ${padOf(id, plan.responsePadBytes)}\r\n` : "") +
    (plan.isTunnel ? "" : framingLine(framing, responseBytes));
  const pieces: Buffer[] = [Buffer.from(`${head}\r\n`, "latin1")];
  if (plan.method === "HEAD" || plan.isTunnel) return pieces;
  const body = bodyOf(id, Way.response, responseBytes);
  if (framing === "chunked") pieces.push(...chunks(body, plan.responseChunkBytes, plan.hasTrailers));
  else pieces.push(body);
  return pieces;
}

const INTERIM = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
const SURPLUS = "HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 3\r\n\r\nbad";

/** What a backend writes instead, or behind it. */
export function lyingResponse(plan: Plan): Buffer[] {
  const { id, lie, cutAt } = plan;
  const good: Buffer[] = response(plan);
  const instead = LIES[lie]?.(id);
  if (instead !== undefined) return [Buffer.from(instead, "latin1")];
  if (lie === "surplus" || lie === "body-for-head") return [...good, Buffer.from(SURPLUS)];
  if (lie === "half-a-head") return cut(good.slice(0, 1), cutAt * 0.9);
  // A head alone, for a HEAD or a 304, is cut inside the head.
  if (lie === "cut" || lie === "stalled-body") return cut(good, cutAt * 0.98);
  if (lie === "bad-chunk") return [...cutBehindHead(good), Buffer.from("xyz\r\n")];
  return good;
}

function said(id: number, lines: string, body = "hello"): string {
  return `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n${lines}\r\n${body}`;
}

const LIES: Partial<Record<Lie, (id: number) => string>> = {
  garbage: () => "220 sim ESMTP\r\n\r\n",
  "length-and-chunked": (id) => said(id, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
  "two-lengths": (id) => said(id, "Content-Length: 5\r\nContent-Length: 2\r\n"),
  "bad-length": (id) => said(id, "Content-Length: 5,5\r\n"),
  switch: (id) => `HTTP/1.1 101 Switching\r\nX-Id: ${id}\r\nConnection: Upgrade\r\nUpgrade: sim\r\n\r\n`,
  "huge-head": (id) => said(id, `X-A: ${"a".repeat(70_000)}\r\nContent-Length: 5\r\n`),
  "bare-lf": (id) => `HTTP/1.1 200 OK\nX-Id: ${id}\nContent-Length: 0\n\n`,
};

function framingLine(framing: Framing, bytes: number): string {
  if (framing === "length") return `Content-Length: ${bytes}\r\n`;
  return framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

function chunks(body: Buffer, chunkBytes: number, hasTrailers: boolean): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += chunkBytes) {
    const piece = body.subarray(at, at + chunkBytes);
    // Sizes that are not canonical, and extensions, which the proxy has to drop.
    const size =
      piece.length % 5 === 0 ? `00${piece.length.toString(16).toUpperCase()}` : piece.length.toString(16);
    pieces.push(Buffer.from(`${size}${piece.length % 7 === 0 ? EXTENSION : ""}\r\n`), piece, CRLF);
  }
  pieces.push(Buffer.from(`0\r\n${hasTrailers ? TRAILER : ""}\r\n`));
  return pieces;
}

/** The part of it up to `share` (0 to 1): at least a byte short. */
function cut(pieces: readonly Buffer[], share: number): Buffer[] {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let left = Math.floor((bytes - 1) * share);
  const kept: Buffer[] = [];
  for (const piece of pieces) {
    if (left === 0) break;
    kept.push(piece.subarray(0, left));
    left -= Math.min(left, piece.length);
  }
  return kept;
}

/** The head, and whole chunks without the last one. */
function cutBehindHead(pieces: readonly Buffer[]): Buffer[] {
  return pieces.length === 1 ? [] : pieces.slice(0, -1);
}

function paddingText(): string {
  const prng = new Prng(7);
  let text = "";
  while (text.length < 40_000) text += prng.next().toString(36);
  return text;
}
