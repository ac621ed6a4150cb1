/** A backend of the simulated world: listens, reads requests, and answers as its handler says. */
import type { Duration } from "../config/kinds.ts";
import type { WireListener, World } from "../engine/sim/world.ts";
import { fieldOf, MessageReader, requestLength, type WholeMessage } from "./message-reader.ts";
import type { Pump } from "./pump.ts";
import type {
  Upstream,
  UpstreamAnswer,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamResponse,
} from "./simulation.ts";
import { VirtualSocket } from "./virtual-socket.ts";

/** What a backend needs of its world. */
export interface Stage {
  readonly world: World;
  readonly pump: Pump;
  /** Milliseconds since the beginning. */
  readonly nowMs: number;
  note(line: string): void;
  durationMs(written: Duration): number;
}

export class VirtualUpstream implements Upstream {
  readonly name: string;
  /** As `Port.connect` takes it. */
  readonly address: string;
  readonly requests: UpstreamRequest[] = [];
  connectionsEver = 0;
  isUp = true;
  readonly #stage: Stage;
  readonly #listener: WireListener;
  readonly #open = new Set<Connection>();
  #handler: UpstreamHandler;

  constructor(stage: Stage, name: string, address: string, handler: UpstreamHandler) {
    this.name = name;
    this.address = address;
    this.#stage = stage;
    this.#handler = handler;
    this.#listener = stage.world.listen(address, { wireIncoming: () => this.#accept() })!;
  }

  get connectionsOpen(): number {
    return this.#open.size;
  }

  answer(handler: UpstreamHandler): void {
    this.#handler = handler;
  }

  down(): void {
    this.isUp = false;
    this.#stage.note(`${this.name} is down`);
    this.#stage.world.refuse(this.#listener);
    for (const connection of this.#open) connection.reset();
    this.#open.clear();
  }

  mute(): void {
    this.isUp = false;
    this.#stage.note(`${this.name} is mute`);
    this.#listener.isMute = true;
  }

  up(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.#stage.note(`${this.name} is up`);
    if (this.#listener.isMute) this.#listener.isMute = false;
    else this.#stage.world.accept(this.#listener);
  }

  /** Called by connections, request by request. */
  ask(message: WholeMessage): UpstreamAnswer | Promise<UpstreamAnswer> {
    const request = requestOf(message, this.name, this.requests.length + 1, this.#stage.nowMs);
    this.requests.push(request);
    this.#stage.note(`${this.name} ← ${request.method} ${request.target}`);
    this.#stage.pump.touch();
    return this.#handler(request);
  }

  closed(connection: Connection): void {
    this.#open.delete(connection);
  }

  #accept(): void {
    const end = this.#listener.queue.shift()!;
    const connection = new Connection(this, this.#stage);
    this.connectionsEver++;
    this.#open.add(connection);
    connection.socket.attach(end);
    end.adopt(connection.socket);
  }
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

class Connection {
  readonly socket: VirtualSocket;
  readonly #upstream: VirtualUpstream;
  readonly #stage: Stage;
  readonly #reader = new MessageReader(requestLength);
  #isAnswering = false;
  #isTunnel = false;

  constructor(upstream: VirtualUpstream, stage: Stage) {
    this.#upstream = upstream;
    this.#stage = stage;
    this.socket = new VirtualSocket({
      connected: () => {},
      received: (bytes) => {
        this.#reader.feed(bytes);
        if (this.#isTunnel) this.socket.send(this.#reader.rest());
        else this.#next();
      },
      ended: () => this.#close(),
    });
  }

  reset(): void {
    this.socket.reset();
  }

  #close(): void {
    this.#upstream.closed(this);
    this.socket.close();
  }

  #next(): void {
    if (this.#isAnswering || this.socket.isClosed) return;
    const message = this.#reader.next();
    if (message === undefined) return;
    this.#isAnswering = true;
    const answer = this.#upstream.ask(message);
    if (!("then" in Object(answer))) {
      this.#answer(message, answer as UpstreamAnswer);
      return;
    }
    const work = Promise.resolve(answer).then(async (each) => {
      this.#answer(message, each instanceof Response ? await plain(each) : each);
    });
    // What a handler throws is a mistake of the test: it is the test that must see it.
    this.#stage.pump.track(work);
  }

  #answer(message: WholeMessage, answer: UpstreamAnswer): void {
    if (answer instanceof Response) {
      this.#stage.pump.track(plain(answer).then((each) => this.#answer(message, each)));
    } else if (answer === "close") this.#close();
    else if (answer === "reset") {
      this.#upstream.closed(this);
      this.reset();
    } else if (answer !== "hang") {
      const delayMs = this.#stage.durationMs(answer.delay ?? 0);
      if (delayMs === 0) this.#write(message, answer);
      else this.#stage.world.after(delayMs, () => this.#write(message, answer));
    }
  }

  #write(message: WholeMessage, answer: UpstreamResponse): void {
    if (this.socket.isClosed) return;
    const { status = 200, body = "" } = answer;
    const isHead = message.startLine.startsWith("HEAD ");
    const isList = Array.isArray(body);
    const items = (isList ? body : [body]).map((item: string | Uint8Array) => Buffer.from(item as string));
    const isEmpty = isHead || status < 200 || status === 204 || status === 304;
    this.socket.send(Buffer.from(head(status, answer.headers ?? {}, isList, items, isEmpty), "latin1"));
    if (status === 101) {
      this.#isTunnel = true;
      this.socket.send(this.#reader.rest());
      return;
    }
    const pieces = isEmpty ? [] : isList ? items.filter(({ length }) => length > 0).map(chunk) : items;
    if (isList && !isEmpty) pieces.push(Buffer.concat([pieces.pop() ?? Buffer.alloc(0), LAST_CHUNK]));
    this.#writeAll(message, pieces, this.#stage.durationMs(answer.pause ?? 0), answer.resetAfter ?? Infinity);
  }

  /** `leftBytes`: until the connection breaks. */
  #writeAll(message: WholeMessage, pieces: Buffer[], pauseMs: number, leftBytes: number): void {
    if (this.socket.isClosed) return;
    const piece = pieces.shift();
    if (piece === undefined) {
      this.#isAnswering = false;
      if (fieldOf(message.fields, "connection") === "close") this.#close();
      else this.#next();
      return;
    }
    if (piece.length > leftBytes) {
      this.socket.send(piece.subarray(0, leftBytes));
      // What was written leaves first.
      this.#stage.world.after(1, () => {
        this.#upstream.closed(this);
        this.reset();
      });
      return;
    }
    this.socket.send(piece);
    const rest = () => this.#writeAll(message, pieces, pauseMs, leftBytes - piece.length);
    if (pauseMs === 0 || pieces.length === 0) rest();
    else this.#stage.world.after(pauseMs, rest);
  }
}

function head(
  status: number,
  headers: NonNullable<UpstreamResponse["headers"]>,
  isChunked: boolean,
  items: readonly Buffer[],
  isEmpty: boolean,
): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}`),
  );
  const has = (name: string) => Object.keys(headers).some((each) => each.toLowerCase() === name);
  if (!has("content-length") && !has("transfer-encoding") && status >= 200 && status !== 204) {
    if (isChunked) lines.push("transfer-encoding: chunked");
    else if (!isEmpty || items[0]!.length > 0) lines.push(`content-length: ${items[0]!.length}`);
  }
  return `HTTP/1.1 ${status} ${reason(status)}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function reason(status: number): string {
  return status < 300 ? "OK" : "Answer";
}

function chunk(item: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${item.length.toString(16)}\r\n`), item, Buffer.from("\r\n")]);
}

/** A response of the web as one of ours, its body read. */
async function plain(response: Response): Promise<UpstreamResponse> {
  const headers: Record<string, string | string[]> = Object.fromEntries(response.headers);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  return { status: response.status, headers, body: new Uint8Array(await response.arrayBuffer()) };
}

function requestOf(
  { startLine, fields, body }: WholeMessage,
  upstream: string,
  number: number,
  atMs: number,
) {
  const [method = "", target = ""] = startLine.split(" ");
  const { pathname, searchParams } = new URL(target.startsWith("/") ? target : "/", "http://upstream");
  const request: UpstreamRequest = {
    method,
    target,
    path: pathname,
    query: searchParams,
    headers: new Headers(fields.map(([name, value]): [string, string] => [name, value])),
    body: new Uint8Array(body),
    text: () => Buffer.from(body).toString("utf8"),
    atMs,
    upstream,
    number,
  };
  return request;
}
