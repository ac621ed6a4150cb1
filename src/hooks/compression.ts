/**
 * Compresses responses of backends, where the client accepts it and it is worth it.
 *
 * Strategy: the last that happens to a response, so that hooks see it as it came. What is not compressed goes on
 * untouched, but for Vary where another client would have got it compressed.
 */
import { Counter } from "../contract/counters.ts";
import type { CompressLink, ContentCoding } from "../contract/hooking.ts";
import { HeadOf } from "../contract/interception.ts";
import { Method } from "../http1/message-head.ts";
import { chooseCoding } from "./accept-encoding.ts";
import { type CompressionWatch, CompressStage } from "./compress-stage.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { HookError } from "./hook-error.ts";
import type { HookContext, HookHeaders, HookRequest, HookResponse, Hooks } from "./hooks.ts";
import type { HookSurroundings } from "./link.ts";

/** At a time in one worker: each takes 1 MiB of memory or so, for as long as its client likes. */
export const COMPRESSIONS_MAX = 256;

/** Statuses whose content is not a whole representation, or that have none (RFC 9110 §15.3, RFC 3229). */
const OTHER_CONTENT = new Set([204, 205, 206, 226, 304]);
/** Digests of what the backend sent (RFC 1864, RFC 3230, RFC 9530), and the ranges that it would cut out of it. */
const STALE_FIELDS = ["accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"];

/** What the links of one worker share. */
export class Compressions {
  readonly surroundings: HookSurroundings;
  activeCount = 0;

  constructor(surroundings: HookSurroundings) {
    this.surroundings = surroundings;
  }

  /** The functions of `link`. */
  hooksOf(link: CompressLink): Hooks {
    return {
      // Before anybody takes them away from what the backend gets.
      onRequest: ({ headers }: HookRequest, context: HookContext) => {
        if (headers.has("cookie") || headers.has("authorization")) (context as ExchangeView).isForOne = true;
      },
      onResponse: (response: HookResponse, request: HookRequest, context: HookContext) =>
        this.#compress(link, response, request, context as ExchangeView),
    };
  }

  #compress(link: CompressLink, response: HookResponse, request: HookRequest, view: ExchangeView): void {
    const { headers } = response;
    if (response.status === 304) weakenAgain(request.headers, headers);
    if (!isWorthIt(link, response, view)) return;
    if (!addVary(headers)) return;
    const { exchange } = view;
    // RFC 9110 §9.3.2: no content, so none that could be shorter. HTTP/1.0 has no chunks.
    if (exchange.method === Method.HEAD || !exchange.hasResponseBody || exchange.clientMinor === 0) return;
    const coding = chooseCoding(link.encodings, request.headers.get("accept-encoding"));
    if (coding === "identity") return;
    const { cells } = this.surroundings;
    if (this.activeCount >= COMPRESSIONS_MAX) {
      cells[Counter.compressionsSkipped]!++;
      return;
    }
    this.#begin(coding, link.levels[coding], headers, view);
  }

  #begin(coding: ContentCoding, level: number, headers: HookHeaders, view: ExchangeView): void {
    const { surroundings } = this;
    const { cells } = surroundings;
    if (!tried(() => headers.set("content-encoding", coding))) return;
    this.activeCount++;
    const watch: CompressionWatch = {
      took: (bytes) => {
        cells[Counter.compressedBytesIn]! += bytes;
      },
      came: (bytes) => {
        cells[Counter.compressedBytesOut]! += bytes;
      },
      failed: (error) => surroundings.stray(`compress (${coding})`, error),
      freed: () => {
        this.activeCount--;
      },
    };
    const stage = new CompressStage(coding, level, watch, surroundings.clock);
    if (!tried(() => view.addStage(HeadOf.response, stage, false))) {
      stage.abort();
      headers.delete("content-encoding");
      return;
    }
    cells[Counter.compressions]!++;
    const tag = headers.get("etag");
    // RFC 9110 §8.8.3: other bytes. A shorter field always has room, and this one is two bytes longer.
    if (tag !== null && !tag.startsWith("W/") && !tried(() => headers.set("etag", `W/${tag}`)))
      headers.delete("etag");
    for (const name of STALE_FIELDS) if (headers.has(name)) headers.delete(name);
  }
}

/** Whether a client that accepts it would get `response` compressed. */
function isWorthIt(
  link: CompressLink,
  { status, headers }: HookResponse,
  { exchange, isForOne }: ExchangeView,
): boolean {
  if (OTHER_CONTENT.has(status) || exchange.mayTunnel || exchange.isEventStream) return false;
  if (headers.has("content-encoding") || headers.has("content-range")) return false;
  const length = headers.get("content-length");
  if (length !== null && Number(length) < link.bytesMin) return false;
  if (!hasType(link.types, headers.get("content-type"))) return false;
  const directives = (headers.get("cache-control") ?? "").toLowerCase();
  // RFC 9111 §5.2.2.6.
  if (/(?:^|[\s,])no-transform(?:$|[\s,])/.test(directives)) return false;
  return link.secrets === "allow" || !mayBeSecret(isForOne, headers, directives);
}

/**
 * Whether it could hold a secret beside what somebody else chose, whose length would then tell of it
 * (CVE-2013-3587): it is for one user, and does not say that it is for all (RFC 9111 §5.2.2.9).
 */
function mayBeSecret(isForOne: boolean, response: HookHeaders, directives: string): boolean {
  if (response.has("set-cookie")) return true;
  return isForOne && !/(?:^|[\s,])public(?:$|[\s,])/.test(directives);
}

function hasType(types: readonly string[], written: string | null): boolean {
  if (written === null) return false;
  const type = written.split(";", 1)[0]!.trim().toLowerCase();
  // Its pieces must not wait for each other, whatever is asked for.
  if (type === "text/event-stream") return false;
  return types.some((each) => {
    if (each.endsWith("/*")) return type.startsWith(each.slice(0, -1));
    return each.startsWith("*") ? type.endsWith(each.slice(1)) : type === each;
  });
}

/** RFC 9110 §12.5.5. `false`: there is no room for it. */
function addVary(headers: HookHeaders): boolean {
  const named = (headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase());
  if (named.includes("*") || named.includes("accept-encoding")) return true;
  return tried(() => headers.append("vary", "Accept-Encoding"));
}

/**
 * The answer to a client that asks about what it has by the tag that we weakened: it would not find it by a strong one
 * (RFC 9111 §4.3.4).
 */
function weakenAgain(request: HookHeaders, response: HookHeaders): void {
  const tag = response.get("etag");
  if (tag === null || tag.startsWith("W/")) return;
  if (!(request.get("if-none-match") ?? "").includes(`W/${tag}`)) return;
  if (tried(() => response.set("etag", `W/${tag}`))) addVary(response);
}

/** `false`: the head has no room for it, or the body is on its way. */
function tried(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (error instanceof HookError) return false;
    throw error;
  }
}
