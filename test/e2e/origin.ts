/** A backend for tests, on a free loopback port, with a handler of the test's own. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Scope } from "./proxy-process.ts";

export interface Origin {
  readonly server: Server;
  /** As `--backends` takes it. */
  readonly address: string;
  readonly port: number;
}

/** Ends with the test. */
export async function startOrigin(scope: Scope, listener: RequestListener): Promise<Origin> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, address: `127.0.0.1:${port}` };
}

/** A moment that a test waits for: `reach` it from one side, await `reached` on the other. */
export class Moment<T = void> {
  readonly reached: Promise<T>;
  reach!: (value: T) => void;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.reach = resolve;
    });
  }
}
