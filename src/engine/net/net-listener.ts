/** Listening sockets of the net engine. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { assert } from "../../base/assert.ts";
import { LISTENERS_MAX, type ListenerSource } from "../../contract/port.ts";
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
  async closeWhenQueueIsEmpty(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await this.#closeAfterQueue();
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

/** The listeners of one engine, by number. */
export class NetListeners {
  /** By number; "": not in use. */
  readonly addresses: string[] = [];
  readonly #byNumber = new Map<number, NetListener>();

  /** Opens all of `sources`, or none: rejects with what `listen` says of the first that fails. */
  async openAll(sources: readonly (ListenerSource | null)[]): Promise<void> {
    try {
      for (const [number, source] of sources.entries())
        if (source !== null) await this.open(number, source);
        else this.addresses[number] = "";
    } catch (error) {
      for (const listener of this.all()) listener.server.close();
      throw error;
    }
  }

  /** Opens one with a number that is not in use. Rejects with what `listen` says. */
  async open(number: number, source: ListenerSource): Promise<NetListener> {
    assert(number < LISTENERS_MAX, "listeners are numbered below their maximum");
    assert(!this.#byNumber.has(number), "a number has one listener");
    const listener = new NetListener(number, await listen(source));
    while (this.addresses.length < number) this.addresses.push("");
    this.addresses[number] = listener.address;
    this.#byNumber.set(number, listener);
    return listener;
  }

  all(): readonly NetListener[] {
    return [...this.#byNumber.values()];
  }

  stopAccepting(): void {
    for (const listener of this.all()) void listener.closeWhenQueueIsEmpty();
  }

  /** Resolves when its queue has been taken and its descriptor is closed. */
  async remove(number: number): Promise<void> {
    const listener = this.#byNumber.get(number);
    if (listener === undefined) return;
    this.addresses[number] = "";
    await listener.closeWhenQueueIsEmpty();
    this.#byNumber.delete(number);
  }

  /** Closes all at once. */
  async close(): Promise<void> {
    for (const listener of this.all()) await listener.close();
  }
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
      // Where descriptors have run out (EMFILE), libuv accepts what waits and closes it at once.
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
