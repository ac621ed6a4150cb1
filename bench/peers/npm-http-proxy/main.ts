/**
 * The npm package `http-proxy` with kept-alive, pooled connections to the backend.
 *
 *     node main.ts PORT BACKEND-PORT
 *
 * The package is no dependency of this repository: it is installed beside this file when somebody wants the
 * comparison, and loaded from there.
 */
import http from "node:http";
import { createRequire } from "node:module";

interface Proxy {
  web(request: http.IncomingMessage, response: http.ServerResponse): void;
  on(event: "error", listener: (error: Error, request: unknown, response: unknown) => void): void;
}
interface ProxyOptions {
  readonly target: string;
  readonly agent: http.Agent;
  readonly xfwd: boolean;
}
interface Package {
  createProxyServer(options: ProxyOptions): Proxy;
}

const [port, backendPort] = process.argv.slice(2);
const httpProxy = createRequire(import.meta.url)("http-proxy") as Package;
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${backendPort}`,
  agent: new http.Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 }),
  xfwd: true,
});
proxy.on("error", (error, _request, response) => {
  if (response instanceof http.ServerResponse) response.writeHead(502).end(error.message);
});
const server = http.createServer((request, response) => proxy.web(request, response));
server.keepAliveTimeout = 600_000;
server.listen(Number(port), "127.0.0.1");
