/**
 * Reads the texts of a configuration, wherever they are written: durations, sizes, addresses.
 * Each reader returns the value or a `Problem`: what is wrong, and what to write instead.
 */
import { isIP, isIPv6 } from "node:net";
import { type Network, parseNetwork } from "../base/ip-address.ts";

/** A backend as written by the operator. */
export type Backend =
  /** An IP address or a unix socket: `address` is what `Port.connect` takes. */
  | { readonly kind: "address"; readonly name: string; readonly address: string }
  /** A host name, to be resolved again and again. */
  | { readonly kind: "host"; readonly name: string; readonly host: string; readonly port: number };

/** Why a text was refused, and the remedy. Both are parts of a sentence: `"5 s": REASON; REMEDY`. */
export class Problem {
  readonly reason: string;
  readonly remedy: string;

  constructor(reason: string, remedy: string) {
    this.reason = reason;
    this.remedy = remedy;
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** `250ms`, `1.5s`, `2m`, `1h` or `0` as whole milliseconds, in `[min, max]`. */
export function readDurationMs(text: string, min: number, max: number): number | Problem {
  const example = "write a number with ms, s, m or h, like 500ms or 30s";
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (match === null) return new Problem("is not a duration", example);
  const unit = match[2];
  if (unit === undefined && Number(match[1]) !== 0) return new Problem("has no unit", example);
  const ms = Math.round(Number(match[1]) * (UNIT_MS[unit ?? "ms"] ?? 1));
  if (ms >= min && ms <= max) return ms;
  return new Problem("is out of range", `write something from ${durationText(min)} to ${durationText(max)}`);
}

/** `4096`, `64KiB` or `1MiB` as bytes, in `[min, max]`. */
export function readBytes(text: string, min: number, max: number): number | Problem {
  const match = /^(\d+)([A-Za-z]*)$/.exec(text.trim());
  const factor = match === null ? undefined : UNIT_BYTES[match[2]!];
  if (match === null || factor === undefined) {
    return new Problem("is not a size", "write a number of bytes, or one with KiB, MiB or GiB, like 64KiB");
  }
  const bytes = Number(match[1]) * factor;
  if (bytes >= min && bytes <= max) return bytes;
  return new Problem("is out of range", `write something from ${bytesText(min)} to ${bytesText(max)}`);
}

/** A whole number in `[min, max]`. */
export function readInteger(text: string, min: number, max: number): number | Problem {
  const range = `write a number from ${min} to ${max}`;
  if (!/^\d{1,15}$/.test(text.trim())) return new Problem("is not a whole number", range);
  const value = Number(text);
  return value >= min && value <= max ? value : new Problem("is out of range", range);
}

/** `10.0.0.0/8`, `2001:db8::/32` or a single address. */
export function readNetwork(text: string): Network | Problem {
  const network = parseNetwork(text.trim());
  return network ?? new Problem("is not a network", "write an address or a block of them, like 10.0.0.0/8");
}

/** The shortest way to write a span: `30s`, `250ms`, `1h`. */
export function durationText(ms: number): string {
  for (const unit of ["h", "m", "s"]) {
    const factor = UNIT_MS[unit]!;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return ms === 0 ? "0" : `${ms}ms`;
}

/** The shortest exact way to write a size: `64KiB`, `1000B`. */
export function bytesText(bytes: number): string {
  if (bytes === 0) return "0";
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const factor = UNIT_BYTES[unit]!;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*\.?$/;

/** `host:port`, `[v6]:port`, `:port` (every address) for a listener. */
export function readListenAddress(text: string): { host: string; port: number } | Problem {
  const remedy = "write host:port, like 127.0.0.1:8080, [::1]:8080 or :8080 for every address";
  const parts = splitHostPort(text.trim());
  if (/^\d+$/.test(text.trim())) return new Problem("has no host", `write :${text.trim()} for every address`);
  if (parts === undefined) return new Problem("is not an address to listen on", remedy);
  const host = parts.host === "*" ? "" : parts.host;
  if (host !== "" && isIP(host) === 0 && !HOST_NAME.test(host))
    return new Problem("has no valid host", remedy);
  const port = readInteger(parts.port, 0, 65_535);
  return port instanceof Problem
    ? new Problem(`has a port that ${port.reason}`, port.remedy)
    : { host, port };
}

/** `host:port`, `[v6]:port` or `unix:/path` for a backend. */
export function readBackend(text: string): Backend | Problem {
  const name = text.trim();
  if (name.startsWith("unix:")) return readUnixBackend(name);
  const scheme = /^([a-z]+):\/\/([^/]*)/i.exec(name);
  if (scheme !== null) {
    if (scheme[1] === "http") return new Problem("is a URL", `write ${withPort(scheme[2]!, 80)}`);
    return new Problem(
      `is a URL, and ${scheme[1]} to backends is not spoken`,
      `write host:port of a plain HTTP server`,
    );
  }
  const parts = splitHostPort(name);
  if (parts === undefined) {
    if (/^\d+$/.test(name)) return new Problem("has no host", `write localhost:${name}`);
    if (isIPv6(name)) return new Problem("has no port", `write [${name}]:80`);
    return new Problem("is not a backend", "write host:port, [v6 address]:port or unix:/path");
  }
  if (parts.host === "") return new Problem("has no host", `write localhost:${parts.port}`);
  const port = readInteger(parts.port, 1, 65_535);
  if (port instanceof Problem) return new Problem(`has a port that ${port.reason}`, port.remedy);
  if (isIPv6(parts.host)) return { kind: "address", name, address: `[${parts.host}]:${port}` };
  if (isIP(parts.host) === 4) return { kind: "address", name, address: `${parts.host}:${port}` };
  if (/^[\d.]+$/.test(parts.host))
    return new Problem("has no valid IPv4 address", "write four numbers from 0 to 255");
  if (!HOST_NAME.test(parts.host))
    return new Problem("has no valid host name", "write host:port, like api.internal:3001");
  return { kind: "host", name, host: parts.host, port };
}

function readUnixBackend(name: string): Backend | Problem {
  const path = name.slice("unix:".length);
  if (!path.startsWith("/")) return new Problem("has no absolute path", "write unix:/run/app.sock");
  // sockaddr_un has room for 107 bytes and a closing zero.
  if (Buffer.byteLength(path) > 107)
    return new Problem("is longer than a socket path may be", "use at most 107 bytes");
  return { kind: "address", name, address: name };
}

function withPort(authority: string, port: number): string {
  return /:\d+$/.test(authority) ? authority : `${authority}:${port}`;
}

/** Splits at the last colon; an IPv6 address must be in brackets, and comes out without them. */
function splitHostPort(text: string): { host: string; port: string } | undefined {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  if (bracketed !== null)
    return isIPv6(bracketed[1]!) ? { host: bracketed[1]!, port: bracketed[2]! } : undefined;
  const colon = text.lastIndexOf(":");
  if (colon < 0 || text.indexOf(":") !== colon) return undefined;
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}
