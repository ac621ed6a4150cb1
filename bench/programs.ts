/**
 * Starts the programs of a measurement, each pinned to a core and in a process group of its own, and ends
 * every one of them with this process, however it ends.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const OUTPUT_BYTES_MAX = 1 << 20;
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
/** Longer than any build takes. */
const RUN_TIMEOUT_MS = 600_000;

export interface StartOptions {
  /** The core that it and its descendants may use; undefined: any. */
  readonly core: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Its working directory; this process's where it is not said. */
  readonly cwd?: string;
  /** For `runToEnd`: it is ended by force after that. */
  readonly timeoutMs?: number;
}

/** A program that runs until it is stopped. */
export interface Program {
  readonly pid: number;
  readonly child: ChildProcess;
  /** What it has written to both outputs, the last 1 MiB. */
  output(): string;
  /** True once it has ended. */
  ended(): boolean;
  /** Ends it and all its descendants by SIGKILL; resolves when it has ended. May be called again. */
  stop(): Promise<void>;
}

const running = new Set<Program>();
const directories = new Set<string>();
let guarded = false;

/** Starts `argv` in the background. `ipc` gives it a channel for `process.send`. */
export function start(argv: readonly string[], options: StartOptions, ipc = false): Program {
  guard();
  const [command, ...args] = pinned(argv, options.core);
  const child = spawn(command!, args, {
    detached: true,
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
  });
  let text = "";
  const collect = (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(-OUTPUT_BYTES_MAX);
  };
  child.stdout!.on("data", collect);
  child.stderr!.on("data", collect);
  child.on("error", (error) => collect(Buffer.from(error.message)));
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ended = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const program: Program = {
    pid: child.pid ?? -1,
    child,
    output: () => text,
    ended,
    stop: async () => {
      killGroup(program);
      if (child.pid !== undefined) await closed;
      running.delete(program);
    },
  };
  running.add(program);
  return program;
}

/** Runs `argv` to its end. Resolves to its standard output; rejects with what it wrote when it fails. */
export async function runToEnd(argv: readonly string[], options: StartOptions): Promise<string> {
  const program = start(argv, options);
  let stdout = "";
  program.child.stdout!.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
  });
  const { timeoutMs = RUN_TIMEOUT_MS } = options;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(program);
  }, timeoutMs);
  const status = await new Promise<number | null>((resolve) => {
    program.child.once("close", resolve);
    program.child.once("error", () => resolve(null));
  });
  clearTimeout(timer);
  running.delete(program);
  if (isLate) throw new Error(`${argv[0]}: still running after ${timeoutMs} ms`);
  if (status !== 0)
    throw new Error(`${argv[0]}: ended with ${status ?? "a signal"}: ${lastLine(program.output())}`);
  return stdout;
}

/** First line that `argv` prints, on either output; undefined when the program is not there. */
export function versionLine(argv: readonly string[], pattern = /.+/): string | undefined {
  const { error, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), { encoding: "utf8" });
  return error === undefined ? pattern.exec(`${stdout}${stderr}`)?.[0]?.trim() : undefined;
}

/** Resolves when 127.0.0.1:`port` accepts connections; rejects when `program` ends before or takes longer. */
export async function waitForPort(
  program: Program,
  port: number,
  timeoutMs: number = START_TIMEOUT_MS,
): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (program.ended()) throw new Error(lastLine(program.output()) || "it ended without a word");
    if (performance.now() > giveUpAtMs) throw new Error(`it does not listen after ${timeoutMs} ms`);
    await delay(POLL_MS);
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A directory for generated files; removed at the end. */
export function temporaryDirectory(): string {
  guard();
  const directory = mkdtempSync(path.join(os.tmpdir(), "hp-proxy-bench-"));
  directories.add(directory);
  return directory;
}

/** Stops everything that was started and removes the temporary directories. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()));
  removeDirectories();
}

function pinned(argv: readonly string[], core: number | undefined): readonly string[] {
  return core === undefined ? argv : ["taskset", "-c", String(core), ...argv];
}

/** Whether somebody accepts connections on 127.0.0.1:`port`. `localPort`: where ours comes from; any where not said. */
export function accepts(port: number, localPort?: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", ...(localPort !== undefined && { localPort }) });
    socket.once("connect", () => {
      // Who tries often enough gets that port for its own end, and meets itself.
      const isItself = socket.localPort === port;
      socket.destroy();
      resolve(!isItself);
    });
    socket.once("error", () => resolve(false));
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function killGroup(program: Program): void {
  if (program.pid <= 0 || program.child.pid === undefined) return;
  try {
    process.kill(-program.pid, "SIGKILL");
  } catch {
    // The whole group has ended.
  }
}

function removeDirectories(): void {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  directories.clear();
}

function guard(): void {
  if (guarded) return;
  guarded = true;
  process.on("exit", () => {
    for (const program of running) killGroup(program);
    removeDirectories();
  });
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  process.on("SIGHUP", () => process.exit(129));
}
