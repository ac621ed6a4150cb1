/**
 * Other programs in tests: started, waited for by what they print, ended with the test. Each is a process
 * group of its own, so that what it starts ends with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { cleanEnvironment, type Scope } from "../e2e/proxy-process.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");

/** A program that runs to its end in less time than this, or fails. */
const RUN_MS_MAX = 60_000;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Full path of a program of this machine, or "" when it is not installed. */
export function installed(name: string): string {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable) ?? "";
}

/** The command line of one of this project's own commands. */
export function ownCommand(name: "hp-proxy" | "hp-echo" | "hp-bench"): readonly string[] {
  return [process.execPath, path.join(ROOT, "bin", name)];
}

export class Program {
  readonly child: ChildProcess;
  readonly name: string;
  /** Everything it wrote so far to both outputs. */
  output = "";
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ran>;
  #over = false;
  #watchers: (() => void)[] = [];

  constructor(scope: Scope, argv: readonly string[], input: string | Uint8Array = "") {
    const [command, ...rest] = argv;
    this.name = path.basename(command!);
    this.child = spawn(command!, rest, {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: cleanEnvironment({ PYTHONUNBUFFERED: "1" }),
    });
    this.child.stdin!.on("error", () => {});
    this.child.stdin!.end(input);
    this.child.stdout!.on("data", (bytes: Buffer) => this.#read("stdout", bytes));
    this.child.stderr!.on("data", (bytes: Buffer) => this.#read("stderr", bytes));
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => this.#read("stderr", Buffer.from(error.message)));
      this.child.on("close", (status) => {
        this.#over = true;
        this.#wake();
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
      });
    });
    scope.after(() => this.kill());
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves with the first match in what it prints; rejects when it ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      if (this.#over) throw new Error(`${this.name} ended before ${pattern}:\n${this.output}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** SIGKILL to it and to all it started; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.#over && this.child.pid !== undefined) {
      try {
        process.kill(-this.child.pid, "SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }
    await this.ended;
  }

  #read(stream: "stdout" | "stderr", bytes: Buffer): void {
    const text = bytes.toString("latin1");
    this[stream] += text;
    this.output += text;
    this.#wake();
  }

  #wake(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}

/**
 * Runs a program to its end, with `input` as its standard input. Rejects when it takes longer than a minute.
 */
export async function runProgram(
  scope: Scope,
  argv: readonly string[],
  input: string | Uint8Array = "",
): Promise<Ran> {
  const program = new Program(scope, argv, input);
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new Error(`${argv.join(" ")} does not end:\n${program.output}`));
    late = setTimeout(fail, RUN_MS_MAX);
  });
  try {
    return await Promise.race([program.ended, tooLate]);
  } finally {
    clearTimeout(late);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
