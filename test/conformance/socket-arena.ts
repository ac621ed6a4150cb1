/** The arena over real sockets on loopback: peers are plain node:net sockets in the test's own process. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Engine, EngineOptions } from "../../src/contract/port.ts";
import type { Arena, Harbour, HarbourKind, OpenEngine, Peer } from "./arena.ts";

/**
 * Conditions are looked at after every event, and this often for what has no event: a slot that comes home.
 */
const LOOK_EVERY_MS = 5;
const PATIENCE_MS = 15_000;

class SocketPeer implements Peer {
  onBytes: (bytes: Uint8Array) => void = () => {};
  receivedBytes = 0;
  isConnected = false;
  hasEnded = false;
  failure = "";
  isGone = false;
  readonly socket: Socket;

  constructor(socket: Socket, changed: () => void) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("connect", () => {
      this.isConnected = true;
      changed();
    });
    socket.on("data", (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.onBytes(chunk);
      changed();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      changed();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.failure = error.code ?? "unknown";
      changed();
    });
    socket.on("close", () => {
      this.isGone = true;
      changed();
    });
    socket.on("drain", changed);
  }

  write(bytes: Uint8Array): void {
    this.socket.write(Buffer.from(bytes));
  }

  unsentBytes(): number {
    return this.socket.writableLength;
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}

class SocketArena implements Arena {
  readonly engine: Engine;
  readonly #peers: SocketPeer[] = [];
  readonly #harbours: Harbour[] = [];
  #wakeUp: () => void = () => {};
  readonly changed = (): void => this.#wakeUp();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async listen(kind: HarbourKind): Promise<Harbour | null> {
    const server = createServer({ allowHalfOpen: true });
    const peers: Peer[] = [];
    server.on("connection", (socket) => {
      const peer = new SocketPeer(socket, this.changed);
      peer.isConnected = true;
      this.#peers.push(peer);
      peers.push(peer);
      this.changed();
    });
    const folder = kind === "unix" ? mkdtempSync(path.join(tmpdir(), "hp-proxy-")) : "";
    const bound = new Promise<boolean>((resolve) => {
      server.once("listening", () => resolve(true));
      server.once("error", () => resolve(false));
    });
    if (kind === "unix") server.listen(path.join(folder, "socket"));
    else server.listen({ host: kind === "ipv4" ? "127.0.0.1" : "::1", port: 0 });
    if (!(await bound)) return null;
    const at = server.address()!;
    const host = kind === "ipv4" ? "127.0.0.1" : "[::1]";
    const address = typeof at === "string" ? `unix:${at}` : `${host}:${at.port}`;
    const harbour: Harbour = {
      address,
      peers,
      close: () =>
        new Promise((resolve) => {
          if (!server.listening) return resolve();
          for (const peer of peers) (peer as SocketPeer).socket.destroy();
          server.close(() => {
            if (folder !== "") rmSync(folder, { recursive: true });
            resolve();
          });
        }),
    };
    this.#harbours.push(harbour);
    return harbour;
  }

  dial(address: string): Peer {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
    const port = Number(address.slice(colon + 1));
    const socket = connect({ host, port, allowHalfOpen: true, autoSelectFamily: false });
    const peer = new SocketPeer(socket, this.changed);
    this.#peers.push(peer);
    return peer;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const giveUpMs = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (performance.now() > giveUpMs) throw new Error(`it never came to be that ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        this.#wakeUp = () => {
          clearTimeout(timer);
          // Not at once: whoever calls is in the middle of something.
          setImmediate(resolve);
        };
      });
      this.#wakeUp = () => {};
    }
  }

  async pass(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    await this.until(`${ms} ms are over`, () => performance.now() >= endMs);
  }

  nowMs(): number {
    return performance.now();
  }

  async close(): Promise<void> {
    for (const { socket } of this.#peers) socket.destroy();
    for (const harbour of this.#harbours) await harbour.close();
    await this.until("peers are gone", () => this.#peers.every((peer) => peer.socket.closed));
  }
}

/** Makes arenas around engines that `openEngine` opens. */
export function socketArenas(openEngine: OpenEngine): (options: EngineOptions) => Promise<Arena> {
  return async (options) => new SocketArena(await openEngine(options));
}
