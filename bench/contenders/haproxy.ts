/** HAProxy. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { versionLine } from "../programs.ts";
import { type Contender, type Found, IDLE_SECONDS } from "./contender.ts";

const FORWARDING_FIELDS = `
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]`;

/** HAProxy with one thread; `withFields`: adds the forwarding fields. */
export function haproxy(name: string, title: string, withFields: boolean, usual: boolean): Contender {
  return { name, title, usual, find: (directory) => findHaproxy(directory, withFields) };
}

async function findHaproxy(directory: string, withFields: boolean): Promise<Found | string> {
  const version = versionLine(["haproxy", "-v"], /(?<=version )\d[\d.]*/);
  if (version === undefined) return "HAProxy is not installed";
  const files: string[] = [];
  return {
    version: `HAProxy ${version}`,
    files,
    argv: (port, backendPorts, streams) => {
      const file = path.join(directory, `haproxy-${port}.cfg`);
      writeFileSync(file, configuration(port, backendPorts, withFields, streams));
      files.push(file);
      return ["haproxy", "-db", "-f", file];
    },
  };
}

/** Without `http-no-delay` the first event of a stream waits for more to send with it. */
function configuration(
  port: number,
  backendPorts: readonly number[],
  withFields: boolean,
  streams: boolean,
): string {
  const servers = backendPorts.map(
    (each) => `  server backend-${each} 127.0.0.1:${each} pool-purge-delay ${IDLE_SECONDS}s`,
  );
  return `global
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
  timeout tunnel ${IDLE_SECONDS}s
  http-reuse always${streams ? "\n  option http-no-delay" : ""}
frontend clients
  bind 127.0.0.1:${port} backlog 4096
  default_backend backend
backend backend${withFields ? FORWARDING_FIELDS : ""}
${servers.join("\n")}
`;
}
