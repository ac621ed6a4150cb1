/**
 * Connections of the proxy's own links (`forwardAuth`, `mirror`) in the simulated world. Node's client speaks over them
 * as it does over sockets; TLS is left out.
 */
import http from "node:http";
import https from "node:https";
import { Duplex } from "node:stream";
import { errnoName } from "../contract/errno.ts";
import type { Outbound } from "../hooks/outbound.ts";
import { MessageReader, responseLength, statusOf } from "./message-reader.ts";
import { VirtualSocket } from "./virtual-socket.ts";
import type { Stage } from "./virtual-upstream.ts";

/** `addressOf`: of a `host:port` or `unix:/path`; undefined where nobody listens. `from`: the host of the proxy. */
export function virtualOutbound(
  stage: Stage,
  from: string,
  addressOf: (place: string) => string | undefined,
): Outbound {
  return {
    agent(isSecure, maxFreeSockets, isAwaited) {
      const agent = new (isSecure ? https.Agent : http.Agent)({ keepAlive: true, maxFreeSockets });
      agent.createConnection = (options) => {
        const place = placeOf(options as Where);
        const address = addressOf(place);
        if (address === undefined) throw new Error(`nobody listens at ${place} in this simulation`);
        return new VirtualConnection(stage, address, from, isAwaited);
      };
      return agent;
    },
  };
}

interface Where {
  readonly host?: string | null;
  readonly port?: string | number | null;
  readonly socketPath?: string | null;
}

function placeOf({ host, port, socketPath }: Where): string {
  if (typeof socketPath === "string") return `unix:${socketPath}`;
  return host?.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

class VirtualConnection extends Duplex {
  readonly #stage: Stage;
  readonly #socket: VirtualSocket;
  readonly #reader = new MessageReader(responseLength(false));
  readonly #isAwaited: boolean;
  /** Ends the wait for a response. */
  #waited: (() => void) | undefined;

  constructor(stage: Stage, address: string, from: string, isAwaited: boolean) {
    super();
    this.#stage = stage;
    this.#isAwaited = isAwaited;
    this.#socket = new VirtualSocket({
      connected: (errno) => {
        if (errno !== 0) this.#fail(`connect ${errnoName(errno)} ${address}`);
      },
      received: (bytes) => this.#received(bytes),
      ended: (errno) => {
        if (errno !== 0) this.#fail(`read ${errnoName(errno)}`);
        else this.#end();
      },
    });
    this.#socket.attach(stage.world.dial(address, from, this.#socket));
    stage.pump.touch();
  }

  // What Node's client asks of a socket.

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#isAwaited) this.#waited ??= this.#stage.pump.wait();
    this.#socket.send(Buffer.from(bytes));
    done();
  }

  override _final(done: () => void): void {
    this.#socket.shutdown();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stopWaiting();
    this.#socket.close();
    done(error);
  }

  #received(bytes: Uint8Array): void {
    this.#reader.feed(bytes);
    for (let response = this.#reader.next(); response !== undefined; response = this.#reader.next())
      if (statusOf(response.startLine) >= 200) this.#stopWaiting();
    this.#stage.pump.touch();
    this.push(bytes);
  }

  #end(): void {
    this.#stopWaiting();
    this.push(null);
  }

  #fail(message: string): void {
    this.#stopWaiting();
    this.destroy(new Error(message));
  }

  #stopWaiting(): void {
    this.#waited?.();
    this.#waited = undefined;
    this.#stage.pump.touch();
  }
}
