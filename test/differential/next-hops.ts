/**
 * nginx and HAProxy behind the proxy, each saying what it saw: one record per request, by the port that the
 * connection came from. Between proxy and next hop stands a tap, a relay that keeps every byte, so that what
 * was sent and what was understood can be compared connection by connection.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { type Scope, temporaryFolder } from "../e2e/proxy-process.ts";
import { installed, Program } from "../harness/program.ts";
import { freePort } from "../harness/servers.ts";
import { readStrictly } from "./strict-reader.ts";

/** One request as a next hop understood it. */
export interface HopRecord {
  readonly status: number;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly body: string;
}

/** One connection from the proxy to a next hop. */
export interface TappedConnection {
  /** All that the proxy sent. */
  sent: string;
  /** Of the tap's own side, which the next hop knows the connection by. */
  port: number;
}

export interface NextHop {
  /** Of the tap in front of it, as `--backends` takes it. */
  readonly address: string;
  readonly connections: readonly TappedConnection[];
  /** Ends it in order and returns what it saw on each connection, by port. */
  stop(): Promise<Map<number, HopRecord[]>>;
}

export const NEXT_HOPS = ["nginx", "haproxy"] as const;
export type NextHopName = (typeof NEXT_HOPS)[number];

/** Why `name` cannot run here; "" where it can. */
export function hopMissing(name: NextHopName): string {
  return installed(name) === "" ? `${name} is not installed` : "";
}

export async function startNextHop(scope: Scope, name: NextHopName): Promise<NextHop> {
  const server = await onFreePort((port) =>
    name === "nginx" ? startNginx(scope, port) : startHaproxy(scope, port),
  );
  const connections: TappedConnection[] = [];
  const address = await startTap(scope, server.port, connections);
  return { address, connections, stop: server.stop };
}

interface Reporting {
  readonly port: number;
  stop(): Promise<Map<number, HopRecord[]>>;
}

/** Long enough that no idle connection ends by itself. */
const PATIENCE = "60s";

const TRIES = 5;

/** Somebody may take a port between the moment that it is found free and the moment that it is listened on. */
async function onFreePort(start: (port: number) => Promise<Reporting>): Promise<Reporting> {
  for (let tries = 1; ; tries++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

async function startNginx(scope: Scope, port: number): Promise<Reporting> {
  const folder = temporaryFolder(scope);
  const log = path.join(folder, "seen.log");
  const file = path.join(folder, "nginx.conf");
  mkdirSync(path.join(folder, "temporary"));
  writeFileSync(file, nginxConfiguration(folder, log, port));
  const program = new Program(scope, [installed("nginx"), "-p", folder, "-e", "stderr", "-c", file]);
  await program.printed(/start worker process \d+/);
  return {
    port,
    stop: async () => {
      program.child.kill("SIGQUIT");
      await program.ended;
      return byPort(readFileSync(log, "latin1").split("\n"), nginxRecord);
    },
  };
}

/** The outer server reads the whole body before it asks the inner one, and logs both. */
function nginxConfiguration(folder: string, log: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/temporary/${name};`)
    .join(" ");
  const names = ["remote_port", "status", "request_method", "request_uri", "http_host", "request_body"];
  const format = names.map((name) => `"$${name}"`).join(",");
  return `
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr notice;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 1024; }
http {
  ${temporary} access_log off; keepalive_timeout ${PATIENCE}; keepalive_requests 1000000;
  log_format seen escape=json '[${format}]';
  server {
    listen 127.0.0.1:${port}; access_log ${log} seen;
    client_body_buffer_size 128k; client_body_in_single_buffer on;
    location / { proxy_pass http://unix:${folder}/inner.sock:; proxy_method GET; }
  }
  server { listen unix:${folder}/inner.sock; return 200 "ok"; }
}
`;
}

function nginxRecord(line: string): [number, HopRecord] | undefined {
  if (line === "") return undefined;
  const [port, status, method, target, host, body] = JSON.parse(line) as string[];
  return [
    Number(port),
    { status: Number(status), method: method!, target: target!, host: host!, body: body! },
  ];
}

async function startHaproxy(scope: Scope, port: number): Promise<Reporting> {
  const folder = temporaryFolder(scope);
  const file = path.join(folder, "haproxy.cfg");
  writeFileSync(file, haproxyConfiguration(port));
  const program = new Program(scope, [installed("haproxy"), "-db", "-V", "-f", file]);
  let isOver = false;
  void program.ended.then(() => {
    isOver = true;
  });
  while (!isOver && !(await answers(port))) await new Promise<void>((resolve) => setTimeout(resolve, 10));
  // It says nothing when it is ready, but of its first request: or it has ended.
  await program.printed(/^seen /m);
  return {
    port,
    stop: async () => {
      program.child.kill("SIGUSR1");
      await program.ended;
      return byPort(program.stdout.split("\n"), haproxyRecord);
    },
  };
}

function haproxyConfiguration(port: number): string {
  return `
global
  log stdout len 65000 format raw local0
  tune.bufsize 131072
defaults
  mode http
  timeout client ${PATIENCE}
  timeout server ${PATIENCE}
  timeout connect ${PATIENCE}
  option http-buffer-request
  option dontlognull
frontend seen
  bind 127.0.0.1:${port}
  log global
  http-request set-var(txn.method) method,hex
  http-request set-var(txn.target) url,hex
  http-request set-var(txn.host) req.fhdr(host),hex
  http-request set-var(txn.body) req.body,hex
  log-format "seen %cp %ST ~%[var(txn.method)] ~%[var(txn.target)] ~%[var(txn.host)] ~%[var(txn.body)]"
  http-request return status 200 content-type text/plain string ok
`;
}

function haproxyRecord(line: string): [number, HopRecord] | undefined {
  const parts = /^seen (\d+) (-?\d+) ~(\S+) ~(\S+) ~(\S+) ~(\S+)$/.exec(line);
  if (parts === null) return undefined;
  const [, port, status, ...hex] = parts;
  const [method, target, host, body] = hex.map((text) => Buffer.from(text, "hex").toString("latin1"));
  return [
    Number(port),
    { status: Number(status), method: method!, target: target!, host: host!, body: body! },
  ];
}

/** Whether a server answers a request there. */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  const answered = await new Promise<boolean>((resolve) => {
    socket.on("data", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    socket.write("GET /first HTTP/1.0\r\n\r\n");
  });
  socket.destroy();
  return answered;
}

function byPort(
  lines: readonly string[],
  read: (line: string) => [number, HopRecord] | undefined,
): Map<number, HopRecord[]> {
  const found = new Map<number, HopRecord[]>();
  for (const line of lines) {
    const [port, record] = read(line) ?? [];
    if (port === undefined || record === undefined) continue;
    found.set(port, [...(found.get(port) ?? []), record]);
  }
  return found;
}

/** Listens in front of `port`; resolves with the address to connect to. */
async function startTap(scope: Scope, port: number, connections: TappedConnection[]): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const kept: TappedConnection = { sent: "", port: 0 };
    connections.push(kept);
    const far = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    far.on("connect", () => {
      kept.port = far.localPort!;
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (from === near) kept.sent += bytes.toString("latin1");
        to.write(bytes);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroySoon();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

export interface Comparison {
  /** Requests that went to the next hop, complete. */
  forwarded: number;
  /** Of these, what the next hop understood in the same way. */
  agreed: number;
  /** What it refused (4xx, 5xx). */
  refused: number;
}

/** Holds what a next hop saw against what the proxy sent it: never more requests, never other ones. */
export function compareHop(
  connections: readonly TappedConnection[],
  seen: ReadonlyMap<number, readonly HopRecord[]>,
): Comparison {
  const comparison = { forwarded: 0, agreed: 0, refused: 0 };
  const known = new Map<number, number>();
  for (const { port } of connections) known.set(port, (known.get(port) ?? 0) + 1);
  for (const { sent, port } of connections) {
    const { requests, complaint, cut } = readStrictly(sent);
    assert.equal(complaint, "", `what is sent is canonical: ${JSON.stringify(sent)}`);
    // A port that was given out twice does not tell whose record it is.
    if (known.get(port) !== 1) continue;
    const records = seen.get(port) ?? [];
    const all = cut === undefined ? requests : [...requests, cut];
    const context = () => JSON.stringify({ sent, records }, undefined, 1);
    assert.ok(records.length <= all.length, `the hop saw more: ${context()}`);
    comparison.forwarded += requests.length;
    for (const [index, { status, method, target, host, body }] of records.entries()) {
      if (status < 200 || status >= 400) {
        comparison.refused++;
        continue;
      }
      const { fields: _fields, ...asSent } = all[index]!;
      const asSeen = { method, target, host, body: index < requests.length ? body : "" };
      assert.deepEqual(asSeen, asSent, `the hop saw another: ${context()}`);
      comparison.agreed++;
    }
  }
  return comparison;
}
