/**
 * Addresses as `Port.connect` takes them, read once and remembered: a proxy connects to the same few strings
 * for ever.
 */
import { isIPv4, isIPv6 } from "node:net";

/** What node:net connects to. Exactly one of `host` and `path` is set; the other is "". */
export interface ConnectTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Longest path of a unix socket that Linux takes: 108 bytes with the closing zero. */
const UNIX_PATH_BYTES_MAX = 107;
const PORT_MAX = 65_535;
/** Addresses remembered at once; a proxy has some dozens of backends. */
const REMEMBERED_MAX = 4096;

/** Reads `"192.0.2.1:80"`, `"[2001:db8::1]:80"` or `"unix:/path"`; null when `address` is none of these. */
export function parseConnectAddress(address: string): ConnectTarget | null {
  if (address.startsWith("unix:")) {
    const path = address.slice("unix:".length);
    if (path === "" || Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX) return null;
    return { host: "", port: 0, path };
  }
  const colon = address.lastIndexOf(":");
  const portText = address.slice(colon + 1);
  if (colon < 1 || !/^[0-9]{1,5}$/.test(portText)) return null;
  const port = Number(portText);
  if (port > PORT_MAX) return null;
  const hostText = address.slice(0, colon);
  if (isIPv4(hostText)) return { host: hostText, port, path: "" };
  if (!hostText.startsWith("[") || !hostText.endsWith("]")) return null;
  const host = hostText.slice(1, -1);
  return isIPv6(host) ? { host, port, path: "" } : null;
}

/** The bound address of a listener in the form that `connect` takes. */
export function formatBoundAddress(bound: { address: string; port: number } | string): string {
  if (typeof bound === "string") return `unix:${bound}`;
  return bound.address.includes(":") ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

/** Addresses that were read before. */
export class ConnectTargets {
  readonly #byAddress = new Map<string, ConnectTarget>();

  /** As `parseConnectAddress`. */
  of(address: string): ConnectTarget | null {
    const known = this.#byAddress.get(address);
    if (known !== undefined) return known;
    const target = parseConnectAddress(address);
    if (target === null) return null;
    if (this.#byAddress.size >= REMEMBERED_MAX) this.#byAddress.clear();
    this.#byAddress.set(address, target);
    return target;
  }
}

/** A peer's address as Node tells it, in the form of `Port.writePeerAddress`. */
export function peerHost(remoteAddress: string): string {
  const isMapped = remoteAddress.startsWith("::ffff:") && remoteAddress.includes(".");
  const host = isMapped ? remoteAddress.slice("::ffff:".length) : remoteAddress;
  const zone = host.indexOf("%");
  return zone < 0 ? host : host.slice(0, zone);
}
