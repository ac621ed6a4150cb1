/**
 * One end of a TCP connection in the hands of a test: bytes out as written, bytes in as they came, and what
 * became of the connection. Nothing is parsed; a test says what it waits for. Every wait has a limit and says
 * what it waited for.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

const PATIENCE_MS = 10_000;

/** Something whose state changes, and that can be waited on. */
export class Changing {
  #waiters: (() => void)[] = [];

  changed(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Resolves with the first value of `look` that is not undefined; looks again at every change. */
  async when<T>(what: string, look: () => T | undefined, state: () => string = () => ""): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.changed();
    }, PATIENCE_MS);
    try {
      for (;;) {
        const value = look();
        if (value !== undefined) return value;
        if (late) throw new Error(`it never came to be: ${what}; ${state()}`);
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

export class RawPeer extends Changing {
  readonly socket: Socket;
  /** Bytes that came and were not taken yet. */
  #chunks: Buffer[] = [];
  receivedBytes = 0;
  hasEnded = false;
  /** Errno name, or "" */
  failure = "";
  isClosed = false;
  /** What becomes of bytes; by default they are kept for `take` and `until`. */
  onBytes: ((chunk: Buffer) => void) | null = null;

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      if (this.onBytes === null) this.#chunks.push(chunk);
      else this.onBytes(chunk);
      this.changed();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.changed();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.failure = error.code ?? "unknown";
      this.changed();
    });
    socket.on("close", () => {
      this.isClosed = true;
      this.changed();
    });
    socket.on("drain", () => this.changed());
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Writes each byte apart, in a segment of its own as far as the kernel allows. */
  async trickle(bytes: string | Uint8Array): Promise<void> {
    const all = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes);
    for (let at = 0; at < all.length; at++) {
      this.socket.write(all.subarray(at, at + 1));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Writes all of `bytes` as fast as the other side takes it. */
  async pour(bytes: Uint8Array, pieceBytes = 65_536): Promise<void> {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (this.socket.destroyed) return;
      if (this.socket.write(bytes.subarray(at, at + pieceBytes))) continue;
      await this.when("the other side takes bytes", () =>
        this.socket.writableLength === 0 || this.socket.destroyed ? true : undefined,
      );
    }
  }

  /** What came and was not taken, as text. */
  get text(): string {
    return this.#join().toString("latin1");
  }

  /** Takes what came, up to and with the first match of `pattern`; waits for it. */
  async until(pattern: RegExp | string): Promise<string> {
    const end = await this.when(
      `bytes that match ${String(pattern)}`,
      () => {
        const text = this.text;
        const end =
          typeof pattern === "string"
            ? text.indexOf(pattern) + (text.includes(pattern) ? pattern.length : 1)
            : endOfMatch(text, pattern);
        if (end > 0) return end;
        if (this.hasEnded || this.isClosed) throw new Error(`ended before ${pattern}: ${this.#state()}`);
        return undefined;
      },
      () => this.#state(),
    );
    return this.#take(end).toString("latin1");
  }

  /** Takes a head, with its empty line. */
  head(): Promise<string> {
    return this.until("\r\n\r\n");
  }

  /** Takes exactly `count` bytes. */
  async bytes(count: number): Promise<Buffer> {
    await this.when(
      `${count} bytes`,
      () => {
        if (this.#join().length >= count) return true;
        if (this.hasEnded || this.isClosed) throw new Error(`ended before ${count} bytes: ${this.#state()}`);
        return undefined;
      },
      () => this.#state(),
    );
    return this.#take(count);
  }

  /** Takes a message with a Content-Length (or without a body). */
  async message(): Promise<{ head: string; body: string }> {
    const head = await this.head();
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    return { head, body: (await this.bytes(length)).toString("latin1") };
  }

  /** Everything up to FIN; throws when the connection is reset instead. */
  async rest(): Promise<string> {
    await this.when(
      "FIN",
      () => {
        if (this.failure !== "") throw new Error(`${this.failure} instead of FIN`);
        return this.hasEnded ? true : undefined;
      },
      () => this.#state(),
    );
    return this.#take(this.#join().length).toString("latin1");
  }

  /** Resolves when the peer has closed in any way. */
  async gone(): Promise<void> {
    await this.when(
      "the connection is gone",
      () => (this.hasEnded || this.isClosed ? true : undefined),
      () => this.#state(),
    );
  }

  /** Resolves when the peer has reset the connection. */
  async broken(): Promise<void> {
    await this.when(
      "RST",
      () => {
        if (this.failure !== "") return true;
        if (this.hasEnded) throw new Error(`FIN instead of RST: ${this.#state()}`);
        return undefined;
      },
      () => this.#state(),
    );
  }

  /** FIN; reading goes on. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  #join(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(count: number): Buffer {
    const all = this.#join();
    this.#chunks = [all.subarray(count)];
    return all.subarray(0, count);
  }

  #state(): string {
    const text = this.text;
    const shown = text.length > 600 ? `${text.slice(0, 300)} … ${text.slice(-300)}` : text;
    return `${JSON.stringify(shown)}${this.hasEnded ? " FIN" : ""} ${this.failure}`;
  }
}

function endOfMatch(text: string, pattern: RegExp): number {
  const match = pattern.exec(text);
  return match === null ? 0 : match.index + match[0].length;
}

/** A listening socket on loopback whose connections a test scripts by hand. */
export class RawBackend extends Changing {
  readonly address: string;
  readonly #server: Server;
  /** Every connection so far, oldest first. */
  readonly peers: RawPeer[] = [];
  #taken = 0;
  /** Called for each connection, for backends that serve by themselves. */
  onPeer: (peer: RawPeer) => void = () => {};

  static async listen(): Promise<RawBackend> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return new RawBackend(server);
  }

  private constructor(server: Server) {
    super();
    this.#server = server;
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("a TCP address was expected");
    this.address = `127.0.0.1:${bound.port}`;
    server.on("connection", (socket) => {
      const peer = new RawPeer(socket);
      this.peers.push(peer);
      this.onPeer(peer);
      this.changed();
    });
  }

  /** The next connection that no test has taken. */
  next(): Promise<RawPeer> {
    return this.when("a connection to the backend", () => {
      if (this.#taken === this.peers.length) return undefined;
      return this.peers[this.#taken++];
    });
  }

  /** No longer listens and resets what is open: connecting is refused from now on. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const peer of this.peers) peer.reset();
    await closed;
  }

  /** Ends quietly. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const peer of this.peers) peer.close();
    await closed;
  }
}

/** Connects to `address` (`127.0.0.1:80`). */
export function dial(address: string): RawPeer {
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  return new RawPeer(connect({ host: address.slice(0, colon), port, allowHalfOpen: true }));
}
