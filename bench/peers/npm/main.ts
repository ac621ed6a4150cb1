/**
 * Proxies of the npm registry, each set up as its manual says, with kept-alive, pooled connections to the
 * backend.
 *
 *     node main.ts PACKAGE PORT BACKEND-PORT MODULES
 *
 * MODULES is a folder whose node_modules has the package: it is no dependency of this repository.
 */
import http from "node:http";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import path from "node:path";

const CONNECTIONS_MAX = 1024;
const IDLE_MS = 600_000;

type Request = http.IncomingMessage;
type Response = http.ServerResponse;
type FieldTable = Record<string, string | string[] | undefined>;

/** `http-proxy`, and `httpxy`, which has kept its interface. */
interface ProxyServer {
  web(request: Request, response: Response): unknown;
  ws(request: Request, socket: Socket, head: Buffer): unknown;
  on(event: "error", listener: (error: Error, request: unknown, response: unknown) => void): void;
}
interface ProxyServerPackage {
  createProxyServer(options: object): ProxyServer;
}
interface FastProxyPackage {
  default(options: object): {
    proxy(request: Request, response: Response, source: string, options: object): void;
  };
}
interface FastifyInstance {
  readonly server: http.Server;
  register(plugin: unknown, options: object): void;
  listen(options: { port: number; host: string }): Promise<string>;
}

const [name, port, backendPort, modules] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(modules!), "package.json"));
const base = `http://127.0.0.1:${backendPort}`;

function listen(server: http.Server): void {
  server.keepAliveTimeout = IDLE_MS;
  server.listen(Number(port), "127.0.0.1");
}

function pooledAgent(): http.Agent {
  return new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX });
}

function runProxyServer(): void {
  const { createProxyServer } = load(name!) as ProxyServerPackage;
  const proxy = createProxyServer({ target: base, agent: pooledAgent(), xfwd: true });
  proxy.on("error", (error, _request, response) => {
    if (response instanceof http.ServerResponse) response.writeHead(502).end(error.message);
  });
  const server = http.createServer((request, response) => {
    proxy.web(request, response);
  });
  server.on("upgrade", (request: Request, socket: Socket, head: Buffer) => {
    proxy.ws(request, socket, head);
  });
  listen(server);
}

/** Adds the field that these packages leave out. (fast-proxy and reply-from set X-Forwarded-Host.) */
function forwarded(request: Request, fields: FieldTable): FieldTable {
  fields["x-forwarded-for"] = request.socket.remoteAddress;
  fields["x-forwarded-proto"] = "http";
  return fields;
}

function runFastProxy(): void {
  const { proxy } = (load("fast-proxy") as FastProxyPackage).default({
    base,
    undici: { connections: CONNECTIONS_MAX, pipelining: 1 },
  });
  listen(
    http.createServer((request, response) =>
      proxy(request, response, request.url!, {
        rewriteRequestHeaders: (from: Request, fields: FieldTable) => forwarded(from, fields),
      }),
    ),
  );
}

/** It would tell a client whose connection it closes that it stays open, because the backend's does. */
function withoutConnection(fields: FieldTable): FieldTable {
  delete fields.connection;
  delete fields["keep-alive"];
  return fields;
}

async function runFastify(): Promise<void> {
  const fastify = load("fastify") as (options: object) => FastifyInstance;
  const app = fastify({ keepAliveTimeout: IDLE_MS });
  app.register(load("@fastify/http-proxy"), {
    upstream: base,
    websocket: true,
    undici: { connections: CONNECTIONS_MAX, pipelining: 1 },
    replyOptions: {
      rewriteRequestHeaders: ({ raw }: { raw: Request }, fields: FieldTable) => forwarded(raw, fields),
      rewriteHeaders: withoutConnection,
    },
  });
  await app.listen({ port: Number(port), host: "127.0.0.1" });
}

if (name === "http-proxy" || name === "httpxy") runProxyServer();
else if (name === "fast-proxy") runFastProxy();
else if (name === "@fastify/http-proxy") await runFastify();
else throw new Error(`${name}: no such package here`);
