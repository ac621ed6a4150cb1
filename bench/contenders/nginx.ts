/** nginx, as a proxy and as a server. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { versionLine } from "../programs.ts";
import { type Contender, type Found, IDLE_SECONDS } from "./contender.ts";

const FORWARDING_FIELDS = `
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;`;

/** nginx as a proxy; `withFields`: adds the forwarding fields. */
export function nginxProxy(name: string, title: string, withFields: boolean, usual: boolean): Contender {
  return {
    name,
    title,
    usual,
    find: (directory) => findNginx(directory, withFields ? FORWARDING_FIELDS : ""),
  };
}

/** `nginx -v` says "nginx version: nginx/1.22.1"; undefined where it is not installed. */
export function nginxVersion(): string | undefined {
  return versionLine(["nginx", "-v"], /nginx\/[\d.]+/);
}

/**
 * Configuration common to nginx as a proxy and as a server: one worker, no logs, no limits in the way. Without
 * `multi_accept` it takes one new connection per turn of its loop: behind a proxy that opens hundreds at once, the last
 * of them waited up to a second for their first answer.
 */
export function nginxConfiguration(http: string): string {
  return `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 65536; multi_accept on; }
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

/** Runs nginx with `configuration`, written to `directory`/`name`.conf. */
export function nginxCommand(directory: string, name: string, configuration: string): readonly string[] {
  const file = path.join(directory, `${name}.conf`);
  writeFileSync(file, configuration.replace("nginx.pid", `${name}.pid`));
  return ["nginx", "-e", "stderr", "-p", `${directory}/`, "-c", file];
}

async function findNginx(directory: string, fields: string): Promise<Found | string> {
  const version = nginxVersion();
  if (version === undefined) return "nginx is not installed";
  const files: string[] = [];
  return {
    version,
    files,
    argv: (port, backendPorts, streams) => {
      files.push(path.join(directory, `nginx-${port}.conf`));
      return nginxCommand(
        directory,
        `nginx-${port}`,
        nginxConfiguration(proxyConfiguration(port, backendPorts, fields, streams)),
      );
    },
  };
}

/** Events pass unbuffered and upgrades pass at all, where scenarios ask for them, as its manual says. */
function proxyConfiguration(
  port: number,
  backendPorts: readonly number[],
  fields: string,
  streams: boolean,
): string {
  const common = `
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;${fields}`;
  return `
  upstream backend {
${backendPorts.map((each) => `    server 127.0.0.1:${each};`).join("\n")}
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout ${IDLE_SECONDS}s;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {${common}
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffer_size 16k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
    }
${streams ? streamLocations(common) : ""}  }`;
}

function streamLocations(common: string): string {
  return `    location /events {${common}
      proxy_set_header Connection "";
      proxy_buffering off;
    }
    location /ws {${common}
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }
`;
}
