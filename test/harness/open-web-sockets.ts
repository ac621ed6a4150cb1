/** WebSockets that are held open and sent through again and again: whether any is lost. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Scope } from "../e2e/proxy-process.ts";
import { echoWebSocket } from "./web-socket-echo.ts";

const ECHO_MS_MAX = 20_000;

/** A backend that sends every message back. Returns its address. */
export async function startWebSocketEcho(scope: Scope): Promise<string> {
  const server = createServer((_request, response) => response.end("ok"));
  const open = new Set<{ destroy(): void }>();
  server.on("upgrade", (request, socket) => {
    open.add(socket);
    echoWebSocket(request, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    for (const socket of open) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export class OpenWebSockets {
  readonly #sockets: readonly WebSocket[];
  /** Those that closed or failed, for whatever reason. */
  dropped = 0;
  #number = 0;

  static async open(scope: Scope, port: number, count: number): Promise<OpenWebSockets> {
    const sockets = Array.from({ length: count }, () => new WebSocket(`ws://127.0.0.1:${port}/`));
    const all = new OpenWebSockets(sockets);
    scope.after(() => all.close());
    await Promise.all(sockets.map((socket) => next(socket, "open")));
    return all;
  }

  private constructor(sockets: readonly WebSocket[]) {
    this.#sockets = sockets;
    for (const socket of sockets) {
      socket.addEventListener("close", () => this.dropped++);
      socket.addEventListener("error", () => {});
    }
  }

  /** The end of each. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  /** Sends a message through each; rejects unless each comes back. */
  async echo(): Promise<void> {
    const text = `message ${this.#number++}`;
    const works = this.#sockets.map(async (socket) => {
      const answer = next(socket, "message");
      socket.send(text);
      const { data } = (await answer) as MessageEvent;
      if (data !== text) throw new Error(`${String(data)} instead of ${text}`);
    });
    await Promise.all(works);
  }
}

async function next(socket: WebSocket, type: "open" | "message"): Promise<Event> {
  const done = new AbortController();
  const { signal } = done;
  try {
    return await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${type}`)), ECHO_MS_MAX);
      signal.addEventListener("abort", () => clearTimeout(late));
      socket.addEventListener(type, resolve, { signal });
      socket.addEventListener("close", () => reject(new Error("closed")), { signal });
    });
  } finally {
    done.abort();
  }
}
