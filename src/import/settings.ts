/**
 * What counts for the whole proxy: timeouts, limits, workers, the log. Values of single places are compared
 * with these.
 */
import { bytesText, durationText } from "../config/values.ts";
import { compressOf } from "./bodies.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import { readSizeBytes, readTimeMs } from "./nginx-values.ts";
import { RealClients } from "./real-clients.ts";
import type { DraftCompress } from "./route-draft.ts";
import type { Scope } from "./scope.ts";

const DAY_MS = 86_400_000;
/** nginx takes no larger bodies where nothing is said. */
const BODY_BYTES_INITIAL = 2 ** 20;

/** Of a route: by directive, the keys of `timeouts` that it is about, and nginx's value where it says none. */
const ROUTE_TIMEOUTS: readonly (readonly [string, readonly string[]])[] = [
  ["proxy_connect_timeout", ["connect"]],
  ["proxy_read_timeout", ["response", "responseIdle"]],
  ["client_body_timeout", ["requestIdle"]],
];

/** Of a server in nginx, and of the whole proxy here. */
const COMMON_TIMEOUTS: readonly (readonly [string, string])[] = [
  ["client_header_timeout", "requestHead"],
  ["keepalive_timeout", "clientIdle"],
  ["send_timeout", "send"],
];

export type Plain = Record<string, unknown>;

export class Settings {
  readonly #findings: Findings;
  /** `timeouts` and `limits` as written. */
  readonly timeouts: Record<string, string> = {};
  readonly limits: Plain = {};
  /** Longest `proxy_read_timeout` of a place that lets WebSockets through, or -1. */
  tunnelMs = -1;
  usesRequestId = false;
  /** Some route guards paths. */
  guardsPaths = false;
  readonly clients: RealClients;
  /** Of the whole. */
  readonly #compress: DraftCompress;
  readonly #common = new Map<string, { text: string; directive: Directive }>();

  /** `http`: the block, or the file where that has servers without one. */
  constructor(http: Scope, findings: Findings) {
    this.#findings = findings;
    this.clients = new RealClients(findings);
    for (const [name, keys] of ROUTE_TIMEOUTS) {
      const text = this.#timeText(http.ownLast(name));
      if (text !== undefined) for (const key of keys) this.timeouts[key] = text;
    }
    this.limits.body = bytesText(this.#bodyBytes(http) ?? BODY_BYTES_INITIAL);
    this.#compress = compressOf(http, findings);
  }

  /** `timeouts` of a place, as far as they differ from those of all. */
  routeTimeouts(scope: Scope): Record<string, string> {
    const own: Record<string, string> = {};
    for (const [name, keys] of ROUTE_TIMEOUTS) {
      const text = this.#timeText(scope.last(name));
      if (text !== undefined) for (const key of keys) if (this.timeouts[key] !== text) own[key] = text;
    }
    return own;
  }

  /** `maxBody` of a place where it differs from that of all. */
  routeMaxBody(scope: Scope): string | undefined {
    const bytes = this.#bodyBytes(scope);
    const text = bytes === undefined ? this.limits.body : bytesText(bytes);
    return text === this.limits.body ? undefined : String(text);
  }

  /** `compress` of a place where it differs from that of all. */
  routeCompress(scope: Scope): DraftCompress | undefined {
    const own = compressOf(scope, this.#findings);
    return JSON.stringify(own) === JSON.stringify(this.#compress) ? undefined : own;
  }

  /** The longest request body of a place; 0: any. */
  bodyBytesMax(scope: Scope): number {
    return this.#bodyBytes(scope) ?? BODY_BYTES_INITIAL;
  }

  /** Takes over what a server says for its connections; two servers that differ are told. */
  server(scope: Scope): void {
    for (const [name, key] of COMMON_TIMEOUTS) {
      const directive = scope.last(name);
      const text = this.#timeText(directive);
      if (directive !== undefined && text !== undefined)
        this.#agree(key, text, directive, (to) => (this.timeouts[key] = to));
    }
    const requests = scope.last("keepalive_requests");
    if (requests !== undefined && /^\d{1,9}$/.test(requests.words[0] ?? ""))
      this.#agree("requestsPerClient", requests.words[0]!, requests, (to) => {
        this.limits.requestsPerClient = Number(to);
      });
    this.#headSizes(scope);
  }

  /** A place that lets WebSockets through. */
  webSocket(scope: Scope): void {
    const ms = readTimeMs(scope.last("proxy_read_timeout")?.words[0] ?? "");
    if (ms !== undefined && ms > 0) this.tunnelMs = Math.max(this.tunnelMs, Math.min(ms, DAY_MS));
  }

  /** Groups of keys of the file, without those that are empty. `main` is what stands outside of `http`. */
  groups(main: Scope, events: Scope | undefined): Plain {
    const level = logLevel(main.ownLast("error_log") ?? undefined);
    if (this.tunnelMs > 0) this.timeouts.tunnel = durationText(this.tunnelMs);
    const workers = main.ownLast("worker_processes")?.words[0];
    const connections = Number(events?.ownLast("worker_connections")?.words[0] ?? 0);
    if (connections >= 1 && connections <= 1_000_000) this.limits.clients = connections;
    const policy: Plain = {};
    if (this.usesRequestId) policy.requestId = "generate";
    const { trustedProxies } = this.clients;
    if (trustedProxies.length > 0) policy.trustedProxies = trustedProxies;
    if (this.guardsPaths) policy.rejectPaths = ["dot-segment", "encoded-slash", "nul"];
    const isCount = workers !== undefined && /^\d{1,3}$/.test(workers) && Number(workers) >= 1;
    return {
      ...(isCount && Number(workers) <= 256 ? { workers: Number(workers) } : {}),
      timeouts: this.timeouts,
      limits: this.limits,
      ...(this.#compress === "off" ? {} : { compress: this.#compress }),
      policy,
      log: level === undefined ? {} : { level },
    };
  }

  #headSizes(scope: Scope): void {
    const directive = scope.last("large_client_header_buffers");
    if (directive === undefined) return;
    const [count = "", size = ""] = directive.words;
    const bytes = readSizeBytes(size);
    if (bytes === undefined || !/^\d{1,4}$/.test(count)) return;
    const most = 65_536;
    const head = Math.min(Number(count) * bytes, most);
    if (Number(count) * bytes > most)
      this.#findings.warn(directive, `a head can have ${bytesText(most)} at most; limits.head is that`);
    this.#agree("head", bytesText(Math.max(head, 256)), directive, (to) => (this.limits.head = to));
    const target = bytesText(Math.max(16, Math.min(bytes, head)));
    this.#agree("target", target, directive, (to) => (this.limits.target = to));
  }

  #agree(key: string, text: string, directive: Directive, take: (text: string) => void): void {
    const known = this.#common.get(key);
    if (known === undefined) {
      this.#common.set(key, { text, directive });
      take(text);
    } else if (known.text !== text)
      this.#findings.warn(
        directive,
        `counts for all servers here; that of line ${known.directive.line} was taken`,
      );
  }

  #bodyBytes(scope: Scope): number | undefined {
    const directive = scope.last("client_max_body_size");
    const bytes = readSizeBytes(directive?.words[0] ?? "");
    if (directive !== undefined && bytes === undefined)
      this.#findings.warn(directive, "is not a size; it is left out");
    return bytes;
  }

  #timeText(directive: Directive | undefined): string | undefined {
    if (directive === undefined) return undefined;
    const ms = readTimeMs(directive.words[0] ?? "");
    if (ms === undefined) this.#findings.warn(directive, "is not a time; it is left out");
    else if (ms === 0) this.#findings.warn(directive, "0 has no counterpart; the default counts");
    else if (ms > DAY_MS) {
      this.#findings.warn(directive, "24h is the most here");
      return durationText(DAY_MS);
    } else return durationText(ms);
    return undefined;
  }
}

/** nginx tells at error what is told at warn here. */
function logLevel(directive: Directive | undefined): string | undefined {
  const written = directive?.words[1];
  if (written === undefined) return undefined;
  if (["debug", "info", "warn"].includes(written)) return written;
  if (written === "notice") return "info";
  return written === "error" ? "warn" : "error";
}
