/**
 * Clients that never stop asking: each has one connection and sends its next GET when the last is answered.
 * What they ask for is unlike any other request, and every answer is checked against it, so that a lost,
 * doubled or crossed answer shows.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Changing } from "../session/raw-peer.ts";

export interface SteadyOptions {
  readonly port: number;
  readonly clients: number;
}

/** What became of one client's connection and requests. */
export class SteadyClient {
  answered = 0;
  /** Answers by status. */
  readonly statuses = new Map<number, number>();
  /** Times each backend answered, by its name in hp-echo's answer. */
  readonly servers = new Map<string, number>();
  /** Answers to something else than was asked. */
  crossed = 0;
  /** 1 when the connection ended with a request on its way: no byte of its answer came. */
  unanswered = 0;
  /** 1 when it ended within an answer. */
  cut = 0;
  /** 1 when it ended although nothing had said so before, for whatever reason. */
  broken = 0;
  /** 1 when it ended after an answer with `Connection: close`. */
  closed = 0;
  /** The connection is over. */
  isDone = false;
  socket: Socket | undefined;
}

export class SteadyClients extends Changing {
  readonly clients: SteadyClient[] = [];
  readonly #options: SteadyOptions;
  #number = 0;
  #stopping = false;

  /** Starts them all; resolves when each has an answer. */
  static async start(options: SteadyOptions): Promise<SteadyClients> {
    const all = new SteadyClients(options);
    for (let i = 0; i < options.clients; i++) all.add();
    await all.eachAnswers(1);
    return all;
  }

  private constructor(options: SteadyOptions) {
    super();
    this.#options = options;
  }

  add(): SteadyClient {
    const client = new SteadyClient();
    this.clients.push(client);
    void this.#run(client).catch((error: unknown) => {
      throw error;
    });
    return client;
  }

  /** Waits until each of `clients` has `count` answers more than now, or is done. */
  async eachAnswers(count: number, clients: readonly SteadyClient[] = this.clients): Promise<void> {
    const targets = clients.map(({ answered }) => answered + count);
    const isReached = () =>
      clients.every((client, i) => client.isDone || client.answered >= targets[i]!) || undefined;
    await this.when(`${count} answers more for each client`, isReached);
  }

  /** Sum of one figure over all clients. */
  total(figure: "answered" | "crossed" | "unanswered" | "cut" | "broken" | "closed"): number {
    return this.clients.reduce((sum, client) => sum + client[figure], 0);
  }

  /** Statuses that came, in rising order. */
  get statuses(): number[] {
    return [...new Set(this.clients.flatMap(({ statuses }) => [...statuses.keys()]))].sort();
  }

  /** Answers by the backend called `name`. */
  answeredBy(name: string): number {
    return this.clients.reduce((sum, { servers }) => sum + (servers.get(name) ?? 0), 0);
  }

  /** Lets each finish its request, and closes. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.when(
      "all clients have finished",
      () => this.clients.every(({ isDone }) => isDone) || undefined,
    );
  }

  /** Ends them at once. */
  destroy(): void {
    this.#stopping = true;
    for (const { socket } of this.clients) socket?.destroy();
  }

  async #run(client: SteadyClient): Promise<void> {
    const socket = connect(this.#options.port, "127.0.0.1");
    client.socket = socket;
    await once(socket, "connect");
    await this.#talk(client, socket);
    client.isDone = true;
    this.changed();
  }

  /** Resolves when the connection is over. */
  async #talk(client: SteadyClient, socket: Socket): Promise<void> {
    const over = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    let received = "";
    let target = this.#ask(socket);
    let mayClose = false;
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (text: string) => {
      received += text;
      const end = messageEnd(received);
      if (end < 0) return;
      mayClose = count(client, received.slice(0, end), target);
      received = received.slice(end);
      target = "";
      this.changed();
      if (this.#stopping || mayClose) socket.end();
      else target = this.#ask(socket);
    });
    await over;
    if (received !== "") client.cut++;
    else if (target !== "") client.unanswered++;
    if (mayClose) client.closed++;
    else if (!this.#stopping) client.broken++;
    this.changed();
  }

  #ask(socket: Socket): string {
    const target = `/request/${this.#number++}`;
    socket.write(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
    return target;
  }
}

/** Counts one whole answer. Returns whether it is the connection's last. */
function count(client: SteadyClient, message: string, target: string): boolean {
  const status = Number(message.slice(9, 12));
  client.answered++;
  client.statuses.set(status, (client.statuses.get(status) ?? 0) + 1);
  if (status === 200) {
    const body = message.slice(message.indexOf("\r\n\r\n") + 4);
    const { server, target: seen } = JSON.parse(body) as { server: string; target: string };
    client.servers.set(server, (client.servers.get(server) ?? 0) + 1);
    if (seen !== target) client.crossed++;
  }
  return /\r\nconnection: close\r\n/i.test(message);
}

/** End of the first message in `text`, which has a Content-Length; -1 while it is not whole. */
function messageEnd(text: string): number {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return -1;
  const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, headEnd + 2))?.[1]);
  if (!Number.isInteger(length)) throw new Error(`no Content-Length: ${text.slice(0, headEnd)}`);
  const end = headEnd + 4 + length;
  return text.length < end ? -1 : end;
}
