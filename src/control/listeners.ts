/**
 * The listening sockets of all workers.
 *
 * With a `Host`, the supervisor opens one SO_REUSEPORT socket per worker and listener and hands it down as a
 * descriptor: it keeps its own copy, so a worker that dies loses no queued connection, its successor takes
 * them up. Without, workers open their own: one worker plainly, several with `reusePort` where the platform
 * spreads connections over such sockets.
 */
import { lookup } from "node:dns/promises";
import { closeSync } from "node:fs";
import { createServer, isIP } from "node:net";
import type { ListenerSource } from "../contract/port.ts";
import type { ListenerConfiguration } from "./configuration.ts";
import type { Host } from "./host.ts";

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

export interface Listeners {
  /** Bound addresses by listener; before the first worker has said so, empty where workers open their own. */
  readonly addresses: readonly string[];
  /** Descriptors that the worker at `index` inherits. */
  descriptors(index: number): readonly number[];
  /** Where that worker accepts, when its first inherited descriptor is number `firstFd`. */
  sources(index: number, firstFd: number): readonly ListenerSource[];
  /** The first worker's addresses: later workers must use the same ports. */
  learn(addresses: readonly string[]): void;
  /**
   * No new client gets through to any worker, and none hears so: it is about to end. Returns how long to wait
   * until those who are just getting through have done so.
   */
  dropNewHandshakes(): number;
  /** The worker at `index` has taken what waited, and nobody shall wait there any more. Idempotent. */
  end(index: number): void;
  /** As `end` for all workers. */
  endAll(): void;
}

/**
 * A handshake takes one round trip. Whoever is turned away tries again after a second, however short this is,
 * and one that has not finished by then is reset.
 */
const HANDSHAKE_MS = 250;

/** Where SO_REUSEPORT spreads connections over the sockets, and Node offers it. */
const REUSE_PORT_PLATFORMS: readonly string[] = ["linux", "freebsd", "dragonfly", "sunos", "aix"];

export function canSharePorts(platform: string): boolean {
  return REUSE_PORT_PLATFORMS.includes(platform);
}

/** Sockets opened here and handed down. Throws `ListenFailed`. */
export async function openInheritedListeners(
  host: Host,
  wanted: readonly ListenerConfiguration[],
  workers: number,
): Promise<Listeners> {
  const rows: number[][] = [];
  try {
    for (const listener of wanted) rows.push(await openRow(host, listener, workers));
  } catch (error) {
    closeAll(rows);
    throw error;
  }
  const ended = new Set<number>();
  const end = (index: number) => {
    if (ended.has(index)) return;
    ended.add(index);
    for (const row of rows) {
      host.endListening(row[index]!);
      closeSync(row[index]!);
    }
  };
  return {
    addresses: rows.map((row) => host.listenerAddress(row[0]!)),
    descriptors: (index) => rows.map((row) => row[index]!),
    sources: (_index, firstFd) => rows.map((_row, listener) => ({ fd: firstFd + listener })),
    learn() {},
    dropNewHandshakes() {
      for (const fd of rows.flat()) host.dropNewHandshakes(fd);
      return HANDSHAKE_MS;
    },
    end,
    endAll() {
      for (let index = 0; index < workers; index++) end(index);
    },
  };
}

function closeAll(rows: readonly (readonly number[])[]): void {
  for (const fd of rows.flat()) closeSync(fd);
}

/** One socket for each worker, all at the same address. */
async function openRow(host: Host, wanted: ListenerConfiguration, workers: number): Promise<number[]> {
  const address = await bindAddress(wanted);
  await assertFree(wanted, address);
  const row: number[] = [];
  try {
    let port = wanted.port;
    for (let index = 0; index < workers; index++) {
      const fd = host.openListener({ host: address, port }, { reusePort: workers > 1 });
      row.push(fd);
      if (port === 0) port = portOf(host.listenerAddress(fd));
    }
  } catch (error) {
    closeAll([row]);
    throw listenFailed(wanted, error);
  }
  return row;
}

/** Workers open their own sockets. Throws `ListenFailed`. */
export async function describeOwnListeners(
  wanted: readonly ListenerConfiguration[],
  workers: number,
): Promise<Listeners> {
  const bound: { host: string; port: number; reusePort: boolean }[] = [];
  for (const listener of wanted) {
    const address = await bindAddress(listener);
    await assertFree(listener, address);
    bound.push({ host: address, port: listener.port, reusePort: workers > 1 });
  }
  let addresses: readonly string[] = [];
  return {
    get addresses() {
      return addresses;
    },
    descriptors: () => [],
    sources: () => bound,
    learn(learned) {
      addresses = learned;
      for (const [listener, address] of learned.entries()) bound[listener]!.port = portOf(address);
    },
    dropNewHandshakes: () => 0,
    end() {},
    endAll() {},
  };
}

/** The IP address to bind: `::` takes IPv4 as well. */
async function bindAddress(wanted: ListenerConfiguration): Promise<string> {
  if (isIP(wanted.host) !== 0) return wanted.host;
  if (wanted.host === "") return (await ipv6Works()) ? "::" : "0.0.0.0";
  try {
    return (await lookup(wanted.host, { order: "ipv4first" })).address;
  } catch (error) {
    throw listenFailed(wanted, error);
  }
}

async function ipv6Works(): Promise<boolean> {
  return (await tryListen("::", 0)) === undefined;
}

/**
 * Sockets with SO_REUSEPORT would quietly share the port with another such proxy of the same user: half of
 * the requests would go astray. A socket without it is refused then.
 */
async function assertFree(wanted: ListenerConfiguration, address: string): Promise<void> {
  if (wanted.port === 0) return;
  const error = await tryListen(address, wanted.port);
  if (error !== undefined) throw listenFailed(wanted, error);
}

function tryListen(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.on("error", resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** `127.0.0.1:80`, `[::1]:80`, or `:80` for every address. */
export function listenText({ host, port }: { host: string; port: number }): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function listenFailed(wanted: ListenerConfiguration, error: unknown): ListenFailed {
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
