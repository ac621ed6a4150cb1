/** Listening sockets of the net engine. */
import { type AddressInfo, createServer, type Server } from "node:net";
import type { ListenerSource } from "../../contract/port.ts";
import { formatBoundAddress } from "./address.ts";

/** What the kernel queues; it cuts the number down to net.core.somaxconn. */
const BACKLOG = 4096;
/** Passes of the event loop that emptying the queue may take. */
const PASSES_MAX = 1024;

export class NetListener {
  readonly index: number;
  readonly server: Server;
  readonly address: string;
  readonly isUnix: boolean;
  #isClosing = false;

  constructor(index: number, server: Server) {
    const bound = server.address() as AddressInfo | string;
    this.index = index;
    this.server = server;
    this.address = formatBoundAddress(bound);
    this.isUnix = typeof bound === "string";
  }

  /**
   * Closes after the first whole pass of the event loop that brought no connection: libuv takes one per pass.
   * Clients that never stop coming cannot hold it open for ever.
   */
  closeWhenQueueIsEmpty(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    void this.#closeAfterQueue();
  }

  async #closeAfterQueue(): Promise<void> {
    let accepted = 0;
    this.server.on("connection", () => accepted++);
    await nextPass();
    for (let passes = 0; passes < PASSES_MAX; passes++) {
      const before = accepted;
      await nextPass();
      if (accepted === before) break;
    }
    this.server.close();
  }

  /**
   * Closes at once; resolves when the descriptor is gone. The server's own `close` event waits for its
   * connections.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.server.close();
    await nextPass();
    await nextPass();
  }
}

/** Resolves after the callbacks of one pass of the event loop. */
function nextPass(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Opens all of `sources`, or none: throws what `listen` says of the first that fails. */
export async function openListeners(sources: readonly ListenerSource[]): Promise<NetListener[]> {
  const listeners: NetListener[] = [];
  try {
    for (const source of sources) listeners.push(new NetListener(listeners.length, await listen(source)));
  } catch (error) {
    for (const listener of listeners) listener.server.close();
    throw error;
  }
  return listeners;
}

function listen(source: ListenerSource): Promise<Server> {
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    pauseOnConnect: true,
    highWaterMark: 1,
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      // EMFILE on accept and the like: the connection stays in the queue, and libuv tries again.
      server.on("error", () => {});
      resolve(server);
    });
    if ("fd" in source) {
      server.listen({ fd: source.fd, backlog: BACKLOG });
    } else {
      const { host, port, reusePort = false } = source;
      server.listen({ host, port, reusePort, exclusive: true, backlog: BACKLOG, ipv6Only: false });
    }
  });
}
