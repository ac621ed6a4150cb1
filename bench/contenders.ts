/**
 * The proxies that are compared: a table of how each is found, built and started.
 *
 * All do the same work: one core, connections kept open on both sides, the forwarding fields
 * X-Forwarded-For, -Proto and -Host added, nothing logged, no health checks. What differs is said in `title`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runToEnd, versionLine } from "./programs.ts";

const ROOT = path.dirname(import.meta.dirname);
const PEERS = path.join(import.meta.dirname, "peers");
const HTTP_PROXY_VERSION = "1.18.1";
/** Waits of peers are longer than any measurement. */
const IDLE_SECONDS = 600;

/** A contender that is on this machine. */
export interface Found {
  readonly version: string;
  /** The command that listens on 127.0.0.1:`port` and forwards to 127.0.0.1:`backendPort`. */
  argv(port: number, backendPort: number): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Contender {
  readonly name: string;
  readonly title: string;
  /** False for those that run only when named by `--only`. */
  readonly usual: boolean;
  /**
   * Finds it or builds it under `directory`. Resolves to the reason, in words, when it cannot take part;
   * rejects when its build fails.
   */
  find(directory: string): Promise<Found | string>;
}

export const PROXIES: readonly Contender[] = [
  hpProxy("hp-uring", "hp-proxy, engine uring", ["--engine", "uring"], true),
  hpProxy("hp-epoll", "hp-proxy, engine epoll", ["--engine", "epoll"], true),
  hpProxy("hp-net", "hp-proxy, engine net", ["--engine", "net"], true),
  { name: "nginx", title: "nginx", usual: true, find: (directory) => findNginx(directory, NGINX_FIELDS) },
  { name: "haproxy", title: "HAProxy", usual: true, find: (directory) => findHaproxy(directory, true) },
  { name: "go", title: "Go httputil.ReverseProxy", usual: true, find: findGo },
  { name: "http-proxy", title: "npm http-proxy", usual: true, find: findHttpProxy },
  hpProxy("hp-tcp", "hp-proxy, engine uring, mode tcp", ["--engine", "uring", "--mode", "tcp"], true),
  { name: "relay", title: "relay in C (epoll), parses nothing", usual: true, find: findRelay },
  {
    name: "nginx-bare",
    title: "nginx without forwarding fields",
    usual: false,
    find: (directory) => findNginx(directory, ""),
  },
  {
    name: "haproxy-bare",
    title: "HAProxy without forwarding fields",
    usual: false,
    find: (directory) => findHaproxy(directory, false),
  },
];

const NGINX_FIELDS = `
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;`;

/** Configuration common to nginx as a proxy and as a server: one worker, no logs, no limits in the way. */
export function nginxConfiguration(http: string): string {
  return `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 65536; }
http {
  access_log off;
  keepalive_timeout ${IDLE_SECONDS}s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server_tokens off;
${http}
}
`;
}

/** `nginx -v` says "nginx version: nginx/1.22.1"; undefined where it is not installed. */
export function nginxVersion(): string | undefined {
  return versionLine(["nginx", "-v"], /nginx\/[\d.]+/);
}

/** Runs nginx with `configuration`, written to `directory`/`name`.conf. */
export function nginxCommand(directory: string, name: string, configuration: string): readonly string[] {
  const file = path.join(directory, `${name}.conf`);
  writeFileSync(file, configuration.replace("nginx.pid", `${name}.pid`));
  return ["nginx", "-e", "stderr", "-p", `${directory}/`, "-c", file];
}

/** The command `name` of this checkout under the Node that runs this script. */
export function ownCommand(name: string): readonly string[] {
  return [process.execPath, path.join(ROOT, "bin", name)];
}

export function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}

function hpProxy(name: string, title: string, args: readonly string[], usual: boolean): Contender {
  const engine = args[1]!;
  return {
    name,
    title,
    usual,
    async find() {
      const file = path.join(ROOT, "src", "engine", engine, `${engine}-engine.ts`);
      if (!existsSync(file)) return `this checkout has no engine ${engine}`;
      return {
        version: ownVersion(),
        argv: (port, backendPort) => [
          ...ownCommand("hp-proxy"),
          ...["--listen", `127.0.0.1:${port}`, "--backends", `127.0.0.1:${backendPort}`, "--workers", "1"],
          ...["--affinity", "off", "--health", "off", "--log-level", "warn"],
          ...["--client-idle-timeout", `${IDLE_SECONDS}s`, "--pool-idle-timeout", `${IDLE_SECONDS}s`],
          ...args,
        ],
      };
    },
  };
}

async function findNginx(directory: string, fields: string): Promise<Found | string> {
  const version = nginxVersion();
  if (version === undefined) return "nginx is not installed";
  return {
    version,
    argv: (port, backendPort) =>
      nginxCommand(
        directory,
        `nginx-${port}`,
        nginxConfiguration(`
  upstream backend {
    server 127.0.0.1:${backendPort};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout ${IDLE_SECONDS}s;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;${fields}
      proxy_request_buffering off;
      proxy_buffer_size 16k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
    }
  }`),
      ),
  };
}

async function findHaproxy(directory: string, withFields: boolean): Promise<Found | string> {
  const version = versionLine(["haproxy", "-v"], /(?<=version )\d[\d.]*/);
  if (version === undefined) return "HAProxy is not installed";
  const fields = `
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]`;
  return {
    version: `HAProxy ${version}`,
    argv: (port, backendPort) => {
      const file = path.join(directory, `haproxy-${port}.cfg`);
      writeFileSync(
        file,
        `global
  nbthread 1
  maxconn 60000
  no strict-limits
  tune.pool-high-fd-ratio 100
  tune.pool-low-fd-ratio 100
defaults
  mode http
  timeout connect 3s
  timeout client ${IDLE_SECONDS}s
  timeout http-keep-alive ${IDLE_SECONDS}s
  timeout server ${IDLE_SECONDS}s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port} backlog 4096
  default_backend backend
backend backend${withFields ? fields : ""}
  server backend 127.0.0.1:${backendPort} pool-purge-delay ${IDLE_SECONDS}s
`,
      );
      return ["haproxy", "-db", "-f", file];
    },
  };
}

async function findGo(directory: string): Promise<Found | string> {
  const version = versionLine(["go", "version"], /go[\d.]+/);
  if (version === undefined) return "Go is not installed";
  const program = path.join(directory, "reverseproxy");
  await runToEnd(["go", "build", "-C", path.join(PEERS, "go"), "-o", program, "."], {
    core: undefined,
  }).catch(() =>
    // `-C` came with Go 1.20.
    runToEnd(["go", "build", "-o", program, path.join(PEERS, "go", "main.go")], { core: undefined }),
  );
  return {
    version,
    argv: (port, backendPort) => [program, `127.0.0.1:${port}`, `127.0.0.1:${backendPort}`],
    env: { GOMAXPROCS: "1" },
  };
}

async function findHttpProxy(): Promise<Found | string> {
  const directory = path.join(PEERS, "npm-http-proxy");
  const manifest = path.join(directory, "node_modules", "http-proxy", "package.json");
  if (!existsSync(manifest)) {
    const where = path.relative(ROOT, directory);
    return `not installed; run npm install --prefix ${where} --no-save http-proxy@${HTTP_PROXY_VERSION}`;
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    version: `http-proxy ${version} on Node ${process.versions.node}`,
    argv: (port, backendPort) => [
      process.execPath,
      "--disable-warning=DEP0060",
      path.join(directory, "main.ts"),
      String(port),
      String(backendPort),
    ],
    env: { NODE_ENV: "production" },
  };
}

async function findRelay(directory: string): Promise<Found | string> {
  const compiler = versionLine(["gcc", "-dumpfullversion"]);
  if (compiler === undefined) return "gcc is not installed";
  const program = path.join(directory, "relay");
  await runToEnd(["gcc", "-O2", "-o", program, path.join(PEERS, "relay.c")], { core: undefined });
  return {
    version: `gcc ${compiler}`,
    argv: (port, backendPort) => [program, String(port), String(backendPort)],
  };
}
