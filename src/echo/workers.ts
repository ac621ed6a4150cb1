/**
 * Several echo servers on one port: one in this process, the others in processes of their own, each with its
 * listening socket (SO_REUSEPORT), so that the kernel spreads connections.
 */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Echo, type EchoOptions, startEcho } from "./start-echo.ts";

export interface EchoWorkers {
  readonly first: Echo;
  /** Resolves with a sentence when a worker process ends although nobody asked it to. */
  readonly died: Promise<string>;
  /** Ends all of them. Once. */
  close(): Promise<void>;
}

/** Resolves when all `workers >= 1` accept connections. Throws when one cannot. */
export async function startEchoWorkers(options: EchoOptions, workers: number): Promise<EchoWorkers> {
  const first = await startEcho(workers === 1 ? options : { ...options, reusePort: true });
  const port = Number(first.address.slice(first.address.lastIndexOf(":") + 1));
  const children: ChildProcess[] = [];
  let isClosing = false;
  let die: (reason: string) => void;
  const died = new Promise<string>((resolve) => {
    die = resolve;
  });
  const close = async () => {
    isClosing = true;
    await Promise.all([first.close(), ...children.map(endChild)]);
  };
  try {
    for (let i = 1; i < workers; i++) children.push(spawnWorker({ ...options, port, reusePort: true }));
    await Promise.all(children.map(whenReady));
  } catch (error) {
    await close();
    throw error;
  }
  for (const child of children)
    child.once("exit", (status, signal) => {
      if (!isClosing) die(`worker ${child.pid} ended (${signal ?? `status ${status}`})`);
    });
  return { first, died, close };
}

function spawnWorker(options: EchoOptions): ChildProcess {
  const extension = path.extname(fileURLToPath(import.meta.url));
  const file = path.join(import.meta.dirname, `worker-main${extension}`);
  return spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

function whenReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("error", reject);
    child.once("exit", () => reject(new Error("a worker could not start")));
  });
}

function endChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      resolve();
      return;
    }
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
