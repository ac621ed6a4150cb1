/**
 * Listening sockets. With a `Host`, the supervisor opens one SO_REUSEPORT socket per worker and listener and
 * hands it down as a descriptor: it keeps its own copy, so a worker that dies loses no queued connection, its
 * successor takes them up. Without, workers open their own: one worker plainly, several with `reusePort` where
 * the platform spreads connections over such sockets.
 */

import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { createServer, isIP } from "node:net";
import { listenText, overlapsOf } from "../config/listen-overlap.ts";
import type { AddressSource } from "../contract/worker-messages.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import type { Host } from "./host.ts";
import type { InheritedListener } from "./inheritance.ts";

export type ListenAddress = Pick<ListenerConfiguration, "host" | "port">;

/** It cannot listen there. `message` is a sentence for people, with a remedy. */
export class ListenFailed extends Error {
  override readonly name = "ListenFailed";
  /** Where somebody else listens, as a sentence begins; "" when that is not the reason. */
  readonly taken: string;
  readonly port: number;

  constructor(message: string, taken: string, port: number) {
    super(message);
    this.taken = taken;
    this.port = port;
  }
}

/** One listener of the proxy, with its sockets. */
export interface OpenListener {
  /** Its number in the engines of all workers. */
  readonly number: number;
  readonly host: string;
  /** As configured: 0 lets the system choose. */
  readonly port: number;
  /** Where it is bound, as `Port.connect` takes it; "" until the first worker has said so. */
  address: string;
  /** Its socket for each worker, by the worker's index; none where workers open their own. */
  readonly fds: Map<number, number>;
  /** All workers have the same socket, which belongs to who passed it (`InheritedListener.isPassed`). */
  readonly isPassed: boolean;
  /** Those of `fds` that others accept from as well: they are closed, and never shut. */
  readonly shared: Set<number>;
}

/**
 * A handshake takes one round trip. Whoever is turned away tries again after a second, however short this is,
 * and one that has not finished by then is reset.
 */
export const HANDSHAKE_MS = 250;

/** Where SO_REUSEPORT spreads connections over the sockets, and Node offers it. */
const REUSE_PORT_PLATFORMS: readonly string[] = ["linux", "freebsd", "dragonfly", "sunos", "aix"];

export function canSharePorts(platform: string): boolean {
  return REUSE_PORT_PLATFORMS.includes(platform);
}

/**
 * Opens sockets for the workers `indexes` at `wanted`, which is the IP address `address`; without a `host`, workers
 * will. Throws `ListenFailed`.
 */
export function openListener(
  host: Host | undefined,
  number: number,
  wanted: ListenAddress,
  address: string,
  indexes: readonly number[],
): OpenListener {
  const listener: OpenListener = {
    number,
    host: wanted.host,
    port: wanted.port,
    address: host === undefined ? listenText({ host: address, port: wanted.port }) : "",
    fds: new Map(),
    isPassed: false,
    shared: new Set(),
  };
  if (host !== undefined) openSockets(host, listener, { host: address, port: wanted.port }, indexes);
  return listener;
}

/**
 * Takes an inherited listener for the workers `indexes`, and opens sockets for those that there is none for.
 * Throws `ListenFailed`.
 */
export function adoptListener(
  host: Host,
  number: number,
  wanted: ListenAddress,
  indexes: readonly number[],
  { address, isPassed, fds }: InheritedListener,
): OpenListener {
  const listener: OpenListener = {
    number,
    host: wanted.host,
    port: wanted.port,
    address,
    fds: new Map(),
    isPassed,
    shared: new Set(),
  };
  const taken = isPassed ? indexes.map(() => fds[0]!) : fds.slice(0, indexes.length);
  for (const [at, fd] of taken.entries()) {
    listener.fds.set(indexes[at]!, fd);
    listener.shared.add(fd);
  }
  openSockets(host, listener, boundAt(listener.address), indexes.slice(taken.length));
  return listener;
}

/** Whether `found` is what a listener at `wanted` needs. Rejects with `ListenFailed`. */
export async function isInherited(found: InheritedListener, wanted: ListenAddress): Promise<boolean> {
  if (found.host === wanted.host && found.port === wanted.port) return true;
  if (wanted.port === 0) return false;
  if (found.address === listenText({ host: await bindAddress(wanted), port: wanted.port })) return true;
  // A service manager's socket is all that there will be.
  return found.isPassed && wanted.host === "" && found.address === `0.0.0.0:${wanted.port}`;
}

/** Opens sockets of a listener that is open for others, for the workers `indexes`. Throws `ListenFailed`. */
export function extendListener(host: Host, listener: OpenListener, indexes: readonly number[]): void {
  const [common] = listener.fds.values();
  if (!listener.isPassed) openSockets(host, listener, boundAt(listener.address), indexes);
  else for (const index of indexes) listener.fds.set(index, common!);
}

/** Every socket may have others beside it on its port: workers can become more, and a listener wider. */
function openSockets(
  host: Host,
  listener: OpenListener,
  where: { host: string; port: number },
  indexes: readonly number[],
): void {
  const opened: number[] = [];
  try {
    let { port } = where;
    for (const index of indexes) {
      const fd = host.openListener({ host: where.host, port }, { reusePort: true });
      listener.fds.set(index, fd);
      opened.push(index);
      if (listener.address === "") listener.address = host.listenerAddress(fd);
      if (port === 0) port = portOf(listener.address);
    }
  } catch (error) {
    for (const index of opened) endSocket(host, listener, index);
    throw listenFailed(listener, error);
  }
}

/**
 * Nobody shall wait any more at the socket of the worker at `index`; one that others accept from is only
 * closed. Idempotent.
 */
export function endSocket(host: Host, listener: OpenListener, index: number): void {
  const fd = listener.fds.get(index);
  if (fd === undefined) return;
  listener.fds.delete(index);
  if ([...listener.fds.values()].includes(fd)) return;
  if (!listener.shared.delete(fd)) host.endListening(fd);
  closeSync(fd);
}

/** Where a worker opens its own socket for that listener. */
export function ownSource(listener: OpenListener): AddressSource {
  return { ...boundAt(listener.address), reusePort: canSharePorts(process.platform) };
}

/** The parts of a bound address. */
export function boundAt(address: string): { readonly host: string; readonly port: number } {
  const host = address.slice(0, address.lastIndexOf(":"));
  return { host: host.startsWith("[") ? host.slice(1, -1) : host, port: portOf(address) };
}

/** The IP address to bind: `::` takes IPv4 as well. Rejects with `ListenFailed`. */
export async function bindAddress(wanted: ListenAddress): Promise<string> {
  if (isIP(wanted.host) !== 0) return wanted.host;
  if (wanted.host === "") return (await ipv6Works()) ? "::" : "0.0.0.0";
  try {
    return (await lookup(wanted.host, { order: "ipv4first" })).address;
  } catch (error) {
    throw listenFailed(wanted, error);
  }
}

async function ipv6Works(): Promise<boolean> {
  return await tryListen("::", 0, false).then(
    () => true,
    () => false,
  );
}

/**
 * Sockets with SO_REUSEPORT would quietly share the port with another such proxy of the same user: half of
 * the requests would go astray. A socket without it is refused then. `ipv6Only`: what is IPv4 is not asked for.
 * Without a `host`, who connects meanwhile is lost. Rejects with `ListenFailed`.
 */
export async function assertFree(
  host: Host | undefined,
  wanted: ListenAddress,
  address: string,
  ipv6Only: boolean,
): Promise<void> {
  const { port } = wanted;
  if (port === 0) return;
  try {
    if (host !== undefined) host.assertUnbound({ host: address, port }, ipv6Only);
    else await tryListen(address, port, ipv6Only);
  } catch (error) {
    throw listenFailed(wanted, error);
  }
}

/**
 * Two of `wanted` that were found to be one address, or a part of it, at `bound`: `localhost` and `127.0.0.1`.
 * Throws `ListenFailed`.
 */
export function assertApart(wanted: readonly ListenAddress[], bound: readonly ListenAddress[]): void {
  const [overlap] = overlapsOf(bound);
  if (overlap === undefined) return;
  const { host, port } = wanted[overlap.narrow]!;
  const what = overlap.isSame ? "the same as" : "a part of";
  const message = `${listenText({ host, port })} is ${what} ${listenText(wanted[overlap.wide]!)}; keep one of them`;
  throw new ListenFailed(message, "", port);
}

/** Rejects with what node:net says. */
async function tryListen(host: string, port: number, ipv6Only: boolean): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port, ipv6Only, exclusive: true });
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

function listenFailed(wanted: ListenAddress, error: unknown): ListenFailed {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const where = wanted.host === "" ? `port ${wanted.port}` : listenText(wanted);
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `${where} is in use by another program; stop that one, or choose another port`,
    EACCES: `${where} may not be opened by this user; choose a port from 1024 on, or run it with CAP_NET_BIND_SERVICE`,
    EADDRNOTAVAIL: `${where} is not an address of this machine; choose one that is, or :${wanted.port} for all`,
    ENOTFOUND: `${where} names no address; write an IP address`,
  };
  const message = sentences[code] ?? `cannot listen on ${where}: ${code}`;
  return new ListenFailed(message, code === "EADDRINUSE" ? where : "", wanted.port);
}
