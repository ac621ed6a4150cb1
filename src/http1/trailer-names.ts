/**
 * Which fields may stand in a trailer section (RFC 9110 §6.5.1). Who merges trailers into the head has decided
 * on the message before they came: a field that steers framing, routing, authentication, caching or the
 * meaning of the content must not come late. The list says what is refused; what it does not know passes.
 */
import { equalsIgnoreCase } from "../base/ascii.ts";
import { asciiBytes } from "../base/bytes.ts";

const REFUSED: readonly Uint8Array[] = [
  // Framing, and what belongs to one connection.
  "connection",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Routing, and who the request came through.
  "alt-svc",
  "forwarded",
  "host",
  "max-forwards",
  "origin",
  "referer",
  "true-client-ip",
  "via",
  "x-client-ip",
  "x-http-method-override",
  "x-original-url",
  "x-real-ip",
  "x-request-id",
  "x-rewrite-url",
  // Conditions and other modifiers of a request.
  "cache-control",
  "expect",
  "pragma",
  "prefer",
  "range",
  // Authentication.
  "authorization",
  "cookie",
  "set-cookie",
  "www-authenticate",
  // Control data of a response.
  "age",
  "allow",
  "clear-site-data",
  "date",
  "expires",
  "location",
  "refresh",
  "retry-after",
  "strict-transport-security",
  "vary",
  "warning",
].map(asciiBytes);

const REFUSED_PREFIXES: readonly Uint8Array[] = [
  "accept",
  "access-control-",
  "content-",
  "if-",
  "proxy",
  "sec-",
  "x-forwarded",
].map(asciiBytes);

/** The one `content-` field that is made for trailers (RFC 9530 §6.4). */
const CONTENT_DIGEST = asciiBytes("content-digest");
const UNDERSCORE = 0x5f;

/**
 * Whether a field with the name `[start, end)`, a token, may be forwarded in a trailer section. Names with `_`
 * may not: CGI and its heirs cannot tell it from `-`.
 */
export function mayTrail(bytes: Uint8Array, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) if (bytes[pos] === UNDERSCORE) return false;
  for (let i = 0; i < REFUSED.length; i++) {
    if (equalsIgnoreCase(bytes, start, end, REFUSED[i]!)) return false;
  }
  for (let i = 0; i < REFUSED_PREFIXES.length; i++) {
    const prefix = REFUSED_PREFIXES[i]!;
    const prefixEnd = start + prefix.length;
    if (prefixEnd <= end && equalsIgnoreCase(bytes, start, prefixEnd, prefix)) {
      return equalsIgnoreCase(bytes, start, end, CONTENT_DIGEST);
    }
  }
  return true;
}
