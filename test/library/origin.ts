/** A backend in the test's own process, and what tests of the library wait for. */
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { TestContext } from "node:test";
import type { EmbeddedProxy, ProxyEvents } from "../../src/index.ts";

/** Ended with the test. Its address is `127.0.0.1:PORT`; the default answer is the target. */
export async function startOrigin(
  t: TestContext,
  answer: RequestListener = (request, response) => response.end(request.url),
  port = 0,
): Promise<{ readonly address: string; readonly port: number; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  const bound = (server.address() as AddressInfo).port;
  return { address: `127.0.0.1:${bound}`, port: bound, close };
}

/** The text that `GET http://address/target` is answered with, on a connection of its own. */
export async function textOf(address: string, target: string): Promise<string> {
  return await (await fetch(`http://${address}${target}`, { headers: { connection: "close" } })).text();
}

/** The next event of that name that `fits`. */
export function nextEvent<Name extends keyof ProxyEvents>(
  proxy: EmbeddedProxy,
  name: Name,
  fits: (event: ProxyEvents[Name]) => boolean = () => true,
): Promise<ProxyEvents[Name]> {
  return new Promise((resolve) => {
    const listener = (event: ProxyEvents[Name]) => {
      if (!fits(event)) return;
      proxy.off(name, listener);
      resolve(event);
    };
    proxy.on(name, listener);
  });
}

/** A promise that somebody else resolves. */
export function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
}

/** Whether nobody accepts at `127.0.0.1:PORT`. */
export function isRefused(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host: host!, port: Number(port) });
    socket.on("connect", () => resolve(false)).on("error", () => resolve(true));
    socket.on("connect", () => socket.destroy());
  });
}
