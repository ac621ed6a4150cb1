/**
 * Servers of other makes, and our own echo, as backends for tests: each on a free loopback port, ended with
 * the test.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import type { Scope } from "../e2e/proxy-process.ts";
import { installed, ownCommand, Program } from "./program.ts";

const NGINX_TRIES = 5;

export interface Server {
  readonly program: Program;
  /** As `--backends` takes it. */
  readonly address: string;
}

/** `hp-echo` with further flags; `port` to take again one that was free before. */
export async function startEcho(scope: Scope, flags: readonly string[] = [], port = 0): Promise<Server> {
  const program = new Program(scope, [...ownCommand("hp-echo"), "--port", `${port}`, ...flags]);
  const [, address] = await program.printed(/listening on (\S+)\n/);
  return { program, address: address! };
}

/** `python3 -m http.server`: HTTP/1.0, a connection per request. Serves `folder`. */
export async function startPython(scope: Scope, folder: string): Promise<Server> {
  const argv = [installed("python3"), "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", folder];
  const program = new Program(scope, argv);
  const [, port] = await program.printed(/Serving HTTP on 127\.0\.0\.1 port (\d+)/);
  return { program, address: `127.0.0.1:${port}` };
}

/** nginx with one worker; serves the files of `folder`, which it also keeps its own files in. */
export async function startNginx(scope: Scope, folder: string): Promise<Server> {
  const own = path.join(folder, ".nginx");
  mkdirSync(own);
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const configuration = path.join(own, "nginx.conf");
    writeFileSync(configuration, nginxConfiguration(folder, own, port));
    const program = new Program(scope, [installed("nginx"), "-p", own, "-e", "stderr", "-c", configuration]);
    try {
      await program.printed(/start worker process \d+/);
      return { program, address: `127.0.0.1:${port}` };
    } catch (error) {
      // Somebody may have taken the port meanwhile.
      if (tries === NGINX_TRIES) throw error;
    }
  }
}

function nginxConfiguration(folder: string, own: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${own}/${name};`)
    .join(" ");
  return `
daemon off; worker_processes 1; pid ${own}/nginx.pid; error_log stderr notice;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 256; }
http {
  access_log off; ${temporary}
  server { listen 127.0.0.1:${port}; root ${folder}; etag on; }
}
`;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
