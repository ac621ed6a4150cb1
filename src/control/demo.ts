/** The backends of `hp-proxy demo`: echo servers as child processes that live no longer than this one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** A backend of the demo did not begin. `message` is a sentence for people. */
export class DemoFailed extends Error {
  override readonly name = "DemoFailed";
}

export interface DemoBackends {
  /** As `--backends` takes them. */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/**
 * Starts `count` backends from `program` (which prints `listening on HOST:PORT` as its first line). They
 * stand in sessions of their own, so that Ctrl-C does not end them before the proxy has finished with them.
 */
export async function startDemoBackends(program: string, count: number): Promise<DemoBackends> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit", "ipc"], detached: true }),
  );
  const stop = async () => {
    await Promise.all(children.map(stopChild));
  };
  try {
    return { addresses: await Promise.all(children.map(firstAddress)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstAddress(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as Readable });
  const exited = once(child, "exit").then(() => {
    throw new DemoFailed("a demo backend ended before it was listening");
  });
  const [line] = (await Promise.race([once(lines, "line"), exited])) as [string];
  exited.catch(() => {});
  const address = /listening on (?:http:\/\/)?(\S+:\d+)/.exec(line)?.[1];
  if (address === undefined)
    throw new DemoFailed(`a demo backend said something else than where it listens: ${line}`);
  return address;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
