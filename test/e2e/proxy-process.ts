/**
 * A real `hp-proxy` process for tests: started by its command, watched by its log, ended with the test.
 * Everything waits for something that happens; what never happens ends with the test's own timeout.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { EngineUnavailable } from "../../src/contract/port.ts";
import { chooseEngine } from "../../src/engine/choose.ts";

const COMMAND = path.join(import.meta.dirname, "..", "..", "bin", "hp-proxy");

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of the JSON log. */
export type LogRecord = Readonly<Record<string, unknown>> & { readonly msg: string };

/** What tests need of node:test's context. */
export interface Scope {
  after(fn: () => void | Promise<void>): void;
}

/** Engines that a supervisor may use here. */
export const ENGINES =
  process.platform === "linux" ? (["uring", "epoll", "net"] as const) : (["net"] as const);

/** Why `name` cannot run here, in words; "" when it can. */
export async function engineMissing(name: (typeof ENGINES)[number]): Promise<string> {
  try {
    const options = { listeners: [], connectionsMax: 2, smallSlots: 16, largeSlots: 16 };
    const { engine } = await chooseEngine(name, options);
    await engine.stop();
    return "";
  } catch (error) {
    if (error instanceof EngineUnavailable) return error.message;
    throw error;
  }
}

/** An empty folder that is removed after the test. */
export function temporaryFolder(scope: Scope): string {
  const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-test-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment without the options of whoever runs the tests. */
export function cleanEnvironment(
  extra: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("HP_PROXY_") && name !== "NODE_OPTIONS",
  );
  return { ...Object.fromEntries(own), NO_COLOR: "1", ...extra };
}

export class ProxyProcess {
  readonly child: ChildProcess;
  readonly logs: LogRecord[] = [];
  /** It and all that hold its standard streams are gone. */
  readonly ended: Promise<Ended>;
  /** It is gone itself. Resolves with its exit status. */
  readonly exited: Promise<number | null>;
  /** `XDG_RUNTIME_DIR` of the process: its control socket is below it. */
  readonly runtimeFolder: string;
  #stdout = "";
  #stderr = "";
  #watchers: (() => void)[] = [];
  #over = false;

  /** `folder` is its working directory; `passed`: sockets that it gets as from systemd. */
  constructor(
    scope: Scope,
    argv: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    folder = process.cwd(),
    passed: readonly number[] = [],
  ) {
    this.runtimeFolder = environment.XDG_RUNTIME_DIR ?? temporaryFolder(scope);
    const plain = [process.execPath, COMMAND, ...argv];
    // Whoever is meant is named by its process number, which only the process itself knows.
    const activated = [
      "/bin/sh",
      "-c",
      `LISTEN_FDS=${passed.length} LISTEN_PID=$$ exec "$@"`,
      "sh",
      ...plain,
    ];
    const [command, ...rest] = passed.length === 0 ? plain : activated;
    this.child = spawn(command!, rest, {
      stdio: ["ignore", "pipe", "pipe", ...passed],
      cwd: folder,
      env: cleanEnvironment({ XDG_RUNTIME_DIR: this.runtimeFolder, ...environment }),
    });
    const { stdout, stderr } = this.child as { stdout: Readable; stderr: Readable };
    stdout.on("data", (bytes: Buffer) => {
      this.#stdout += bytes.toString();
      this.#wake();
    });
    createInterface({ input: stderr }).on("line", (line) => this.#read(line));
    this.exited = once(this.child, "exit").then(([status]) => status as number | null);
    this.ended = once(this.child, "close").then(([status, signal]) => {
      this.#over = true;
      this.#wake();
      return { status, signal, stdout: this.#stdout, stderr: this.#stderr } as Ended;
    });
    scope.after(async () => {
      this.child.kill("SIGKILL");
      // Those that have taken over hold the same standard streams.
      for (const pid of this.successors) killIfThere(pid);
      await this.ended;
    });
  }

  /** Starts a proxy on a free loopback port and waits until it accepts. */
  static async start(
    scope: Scope,
    backends: readonly string[],
    argv: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ProxyProcess> {
    const base = ["--listen", "127.0.0.1:0", "--backends", backends.join(","), "--log-format", "json"];
    const proxy = new ProxyProcess(scope, [...base, ...argv], environment);
    await proxy.log((record) => record.msg.startsWith("listening on "));
    return proxy;
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** What it said when it began to accept: `listening on 127.0.0.1:8080, 2 workers, engine uring`. */
  get listening(): string {
    return this.logs.find((record) => record.msg.startsWith("listening on "))?.msg ?? "";
  }

  /** Processes that were started to take over from this one, and from each other. */
  get successors(): number[] {
    const pids = this.logs.flatMap(({ successor }) => (typeof successor === "number" ? [successor] : []));
    return [...new Set(pids)];
  }

  /** The port of the first listener. */
  get port(): number {
    return Number(/listening on \S+:(\d+),/.exec(this.listening)?.[1]);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The next record from `from` on that fits; rejects when the process ends without it. */
  async log(fits: (record: LogRecord) => boolean, from = 0): Promise<LogRecord> {
    return await this.#until(() => this.logs.slice(from).find(fits), "a log record");
  }

  /** Waits until standard output fits. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#until(() => pattern.exec(this.#stdout) ?? undefined, String(pattern));
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async #until<T>(look: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`hp-proxy ended before ${what}:\n${this.#stderr}${this.#stdout}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  #read(line: string): void {
    this.#stderr += `${line}\n`;
    if (line.startsWith("{")) this.logs.push(JSON.parse(line) as LogRecord);
    this.#wake();
  }

  #wake(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Runs a command to its end. */
export async function runToEnd(
  scope: Scope,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  folder = process.cwd(),
): Promise<Ended> {
  return await new ProxyProcess(scope, argv, environment, folder).ended;
}
