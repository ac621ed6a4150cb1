/**
 * A client connection of the soak, and of the comparison's checks: bytes out as written, messages in as read on
 * demand, so that a client is as slow as it pleases. Every wait has a limit: what never comes is a fault, not
 * a pause.
 */
import { connect, type Socket } from "node:net";

/** Longest wait for anything: longer than every timeout of the proxy under test. */
const PATIENCE_MS = 30_000;
const HEAD_BYTES_MAX = 65_536;
const NOTHING = Buffer.alloc(0);

/** The connection ended, or the proxy answered with an error: a backend's death may explain it. */
export class Lost extends Error {}

/** Never to be explained: bytes that are not those sent, answers crossed, silence. */
export class Wrong extends Error {}

export interface Head {
  readonly status: number;
  /** By lower-case name; of several lines the last. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Takes a piece of a body; `offset` counts from the body's start. */
export type Sink = (piece: Buffer, offset: number) => void;

export class Wire {
  readonly socket: Socket;
  /** Read, but not taken. */
  #rest: Buffer = NOTHING;
  #hasEnded = false;
  /** Errno name once the connection broke. */
  #failure = "";
  #wake: () => void = () => {};

  static async open(port: number): Promise<Wire> {
    const wire = new Wire(connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true }));
    await wire.#until("the connection", () => !wire.socket.connecting || wire.#failure !== "");
    if (wire.#failure !== "") throw new Lost(`connect: ${wire.#failure}`);
    return wire;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure = error.code ?? error.message;
      this.#wake();
    });
    for (const event of ["connect", "readable", "drain"]) socket.on(event, () => this.#wake());
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#hasEnded = true;
        this.#wake();
      });
    }
  }

  /** Resolves when the kernel has taken all; a connection that is broken takes nothing and says nothing. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded) return;
    if (socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes)) return;
    await this.#until("room to write", () => socket.writableLength === 0 || socket.destroyed);
  }

  /** The next message head, interim ones left out unless `interim`. Throws `Lost` at the connection's end. */
  async head(interim = false): Promise<Head> {
    for (;;) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) {
        if (this.#rest.length > HEAD_BYTES_MAX) throw new Wrong("a head without an end");
        await this.#more("before a response head");
        continue;
      }
      const head = parseHead(this.#rest.toString("latin1", 0, end));
      this.#rest = this.#rest.subarray(end + 4);
      if (head.status >= 200 || head.status === 101 || interim) return head;
    }
  }

  /** The body behind `head`, by its framing, in pieces as they come. Returns its length. */
  async body(head: Head, sink: Sink): Promise<number> {
    const length = head.fields.get("content-length");
    if (length !== undefined) return this.#take(Number(length), sink, 0);
    if (head.fields.get("transfer-encoding") === "chunked") return this.#chunks(sink);
    let offset = 0;
    while (this.#rest.length > 0 || (await this.#tryMore())) {
      const piece = this.#rest;
      this.#rest = NOTHING;
      sink(piece, offset);
      offset += piece.length;
    }
    if (this.#failure !== "") throw new Lost(`in a body: ${this.#failure}`);
    return offset;
  }

  /** The body behind `head`, whole. */
  async text(head: Head): Promise<string> {
    const pieces: Buffer[] = [];
    await this.body(head, (piece) => pieces.push(Buffer.from(piece)));
    return Buffer.concat(pieces).toString("latin1");
  }

  /** Exactly `bytes` of them, as one buffer. */
  async exactly(bytes: number): Promise<Buffer> {
    const whole = Buffer.alloc(bytes);
    await this.#take(bytes, (piece, offset) => piece.copy(whole, offset), 0);
    return whole;
  }

  /** Bytes that have come and that nobody has taken. */
  unreadBytes(): number {
    return this.#rest.length + this.socket.readableLength;
  }

  /** Waits until the other side is gone, whatever it still says. Returns the errno name, or "". */
  async ended(): Promise<string> {
    do this.#rest = NOTHING;
    while (await this.#tryMore());
    return this.#failure;
  }

  /** FIN, now; then waits for the other side's. */
  async leave(): Promise<void> {
    this.socket.end();
    await this.ended();
    this.socket.destroy();
  }

  async #chunks(sink: Sink): Promise<number> {
    let offset = 0;
    for (;;) {
      let lineEnd = this.#rest.indexOf("\r\n");
      while (lineEnd < 0) {
        await this.#more("in a chunk size");
        lineEnd = this.#rest.indexOf("\r\n");
      }
      const line = this.#rest.toString("latin1", 0, lineEnd);
      if (!/^[0-9a-f]+$/i.test(line)) throw new Wrong(`not a chunk size: ${JSON.stringify(line)}`);
      this.#rest = this.#rest.subarray(lineEnd + 2);
      offset = await this.#take(Number.parseInt(line, 16), sink, offset);
      if ((await this.exactly(2)).toString("latin1") !== "\r\n") throw new Wrong("a chunk without its end");
      if (line === "0") return offset;
    }
  }

  /** Returns the offset behind `bytes` more. */
  async #take(bytes: number, sink: Sink, from: number): Promise<number> {
    let offset = from;
    while (offset < from + bytes) {
      if (this.#rest.length === 0) await this.#more("in a body");
      const piece = this.#rest.subarray(0, from + bytes - offset);
      this.#rest = this.#rest.subarray(piece.length);
      sink(piece, offset);
      offset += piece.length;
    }
    return offset;
  }

  async #more(where: string): Promise<void> {
    if (await this.#tryMore()) return;
    throw new Lost(`${where}: ${this.#failure === "" ? "closed" : this.#failure}`);
  }

  /** Returns false at the end. */
  async #tryMore(): Promise<boolean> {
    for (;;) {
      const piece = this.socket.read() as Buffer | null;
      if (piece !== null) {
        this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
        return true;
      }
      if (this.#hasEnded || this.#failure !== "") return false;
      await this.#until("bytes", () => this.socket.readableLength > 0 || this.#hasEnded);
    }
  }

  async #until(what: string, look: () => boolean): Promise<void> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    while (!look() && this.#failure === "") {
      const leftMs = giveUpAtMs - performance.now();
      if (leftMs <= 0) throw new Wrong(`waited ${PATIENCE_MS / 1000} s for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

function parseHead(text: string): Head {
  const [statusLine, ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1]);
  if (!(status >= 100)) throw new Wrong(`not a status line: ${JSON.stringify(statusLine)}`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status, fields };
}
