/** The servers behind the proxies, and those that are compared with each other in the scenario `echo`. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Contender, type Found, ROOT } from "./contenders/contender.ts";
import { nginxCommand, nginxConfiguration, nginxVersion } from "./contenders/nginx.ts";
import { ownCommand, ownVersion } from "./contenders/own.ts";
import { mirror } from "./mirror.ts";

const SMALL_BODY = "hello, world!";

/** What nginx serves; sizes of files by path. */
const FILES: Readonly<Record<string, number>> = {
  "10k": 10_240,
  "100k": 102_400,
  "1m": 1_048_576,
};

/** Answers every path that scenarios ask for, cheaply: what it costs is on the other core. */
export const BACKEND: Contender = {
  name: "nginx",
  title: "nginx: return 200, files from memory",
  usual: true,
  find: findBackend,
};

export const SERVERS: readonly Contender[] = [
  hpEcho("uring"),
  hpEcho("epoll"),
  hpEcho("net"),
  { name: "nginx", title: "nginx `return 200`", usual: true, find: findBackend },
];

/** Answers what needs more than a file: WebSockets and streams of events. */
export const ECHO_BACKEND: Contender = { ...hpEcho("uring", false), name: "echo" };

/**
 * `/` has 13 bytes; `/chunked` is 10 KiB in chunks, because server-side includes hide the length; `/upload`
 * answers when it has read the whole body, because it asks itself without the body first. For checks:
 * `/order/...` answers with its own path, and `/mirror` with length and hash of the request's body.
 */
async function findBackend(directory: string): Promise<Found | string> {
  const version = nginxVersion();
  if (version === undefined) return "nginx is not installed, and it is the backend";
  for (const [name, bytes] of Object.entries(FILES))
    writeFileSync(path.join(directory, name), "hp-proxy bench.\n".repeat(bytes / 16));
  const socket = path.join(directory, "uploads.sock");
  const mirrored = path.join(directory, "mirror.sock");
  if (!existsSync(mirrored)) await mirror(mirrored);
  const files: string[] = [];
  return {
    version,
    files,
    argv: (port) => {
      files.push(path.join(directory, `backend-${port}.conf`));
      return nginxCommand(
        directory,
        `backend-${port}`,
        nginxConfiguration(`
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  open_file_cache_valid 600s;
  default_type text/plain;
  upstream mirror { server unix:${mirrored}; }
  upstream uploads { server unix:${socket}-${port}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen unix:${socket}-${port};
    return 200 "${SMALL_BODY}";
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${directory};
    location / { }
    location = / { return 200 "${SMALL_BODY}"; }
    location /order/ { return 200 $uri; }
    location = /chunked { alias ${path.join(directory, "10k")}; ssi on; ssi_types text/plain; }
    location = /upload {
      client_body_buffer_size 256k;
      proxy_pass http://uploads;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
    location = /mirror {
      client_body_buffer_size 256k;
      proxy_pass http://mirror;
    }
  }`),
      );
    },
  };
}

/** `isFixed`: answers everything with the small body, instead of by path. */
function hpEcho(engine: string, isFixed = true): Contender {
  return {
    name: `hp-echo-${engine}`,
    title: `hp-echo, engine ${engine}`,
    usual: true,
    async find() {
      if (!existsSync(path.join(ROOT, "src", "cli", "hp-echo.ts"))) return "this checkout has no hp-echo";
      if (!existsSync(path.join(ROOT, "src", "engine", engine, `${engine}-engine.ts`)))
        return `this checkout has no engine ${engine}`;
      return {
        version: ownVersion(),
        argv: (port) => [
          ...ownCommand("hp-echo"),
          ...["--port", String(port)],
          ...(isFixed ? ["--body-bytes", String(SMALL_BODY.length)] : []),
          ...["--workers", "1", "--engine", engine],
        ],
      };
    },
  };
}
