/** The keys of `routes` about how much is too much: rate limits, and requests in flight. */
import { type RateKey, RETRIES, RETRIES_MAX } from "../contract/routing.ts";
import { type Count, integer, kind, open } from "./kinds.ts";
import { isMap, MISSING, Parts } from "./parts.ts";
import { TOKEN } from "./routes-values.ts";
import { Problem, readDurationMs, readInteger } from "./values.ts";

/** `100/s`, `10/m`, `1000/h`, `5/10s`; or with all that can be said. */
export type RateLimitInput = "off" | false | `${number}/${string}` | RateLimitMap;

export interface RateLimitMap {
  readonly rate: `${number}/${string}`;
  readonly burst?: Count;
  /** `client`, `all`, a text with variables, or a header field or cookie by its name. */
  readonly key?: string | { readonly header: string } | { readonly cookie: string };
  readonly status?: Count;
}

/** A rate limit without its name. */
export interface RateLimitWritten {
  readonly count: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly key: RateKey;
  readonly status: number;
}

const SHAPE = "write a rate, like 100/s, or {rate: 10/m, burst: 20, key: client, status: 429}";
const RATE = "write requests per s, m or h, like 100/s or 10/m";
const COUNT_MAX = 1_000_000;
const PERIOD_MS_MAX = 86_400_000;

/** Null: it is switched off. */
export function readRateLimit(written: unknown): RateLimitWritten | null | Problem {
  if (written === false || written === "off" || written === "false") return null;
  const parts = new Parts(written, ["rate", "burst", "key", "status"], "rate");
  const rate = parts.optional("rate", readRate);
  if (parts.map.rate === undefined) parts.refuse(["rate"], MISSING, SHAPE);
  const { count, periodMs } = rate ?? { count: 1, periodMs: 1 };
  const burst = parts.read("burst", String(count), (text) => readInteger(text, 1, COUNT_MAX));
  const key = parts.take(["key"], readRateKey(parts.map.key ?? "client")) ?? { kind: "client" };
  const status = parts.read("status", "429", (text) => readInteger(text, 400, 599));
  return parts.result({ count, periodMs, burst, key, status });
}

function readRate(written: string): { count: number; periodMs: number } | Problem {
  const match = /^\s*(\d+)\s*\/\s*(\d*(?:ms|s|m|h))\s*$/.exec(written);
  if (match === null) return new Problem("is not a rate", RATE);
  const [, digits, unit] = match;
  const count = readInteger(digits!, 1, COUNT_MAX);
  if (count instanceof Problem) return new Problem(`has a number that ${count.reason}`, count.remedy);
  const periodMs = readDurationMs(/^\d/.test(unit!) ? unit! : `1${unit}`, 1, PERIOD_MS_MAX);
  if (periodMs instanceof Problem)
    return new Problem(`has a period that ${periodMs.reason}`, periodMs.remedy);
  return { count, periodMs };
}

function readRateKey(written: unknown): RateKey | Problem {
  const shape = "write client, all, {header: name}, {cookie: name}, or a text with variables";
  if (written === "client" || written === "all") return { kind: written };
  if (typeof written === "string" && /^[\x21-\x7e]+$/.test(written) && written.includes("$"))
    return { kind: "template", text: written };
  if (!isMap(written)) return new Problem("is not a key to count by", shape);
  const parts = new Parts(written, ["header", "cookie"]);
  const { header, cookie } = written;
  if (parts.isGood && (header === undefined) === (cookie === undefined))
    parts.refuse([], "is not a key to count by", shape);
  const read = (text: string) => (TOKEN.test(text) ? text : new Problem("is not a name", "write a name"));
  const field = parts.optional("header", read);
  const name = parts.optional("cookie", read) ?? "";
  return parts.result<RateKey>(
    field === undefined ? { kind: "cookie", name } : { kind: "field", name: field.toLowerCase() },
  );
}

const LIMITS = "Routes";

/** `text` says what it is about. */
export function rateLimit(text: string) {
  return open({
    schema: kind<RateLimitInput, RateLimitWritten | null>(readRateLimit),
    words: {
      group: LIMITS,
      value: "RATE",
      text,
      danger: "Behind a proxy that is not in policy.trustedProxies, or a NAT, many people are one client.",
      json: { anyOf: [{ type: "string" }, { const: false }, { type: "object" }] },
    },
  });
}

export const ROUTE_LIMITS = {
  retries: open(
    integer(
      {
        group: LIMITS,
        text: `Attempts beyond the first, where a request may be repeated (${RETRIES})`,
        danger:
          "0: also a connection that a backend has just closed ends in 502. Many: a failing cluster gets more load.",
      },
      undefined,
      0,
      RETRIES_MAX,
    ),
  ),
  rateLimit: rateLimit("As `rateLimit`, for this route, in its place; or off"),
  maxRequests: open(
    integer(
      {
        group: LIMITS,
        text: "Requests of this route in flight per worker; one more is answered 503; 0: no limit",
        danger: "Low: one slow backend turns clients away that another could have served.",
      },
      undefined,
      0,
      1_000_000,
    ),
  ),
};
