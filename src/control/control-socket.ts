/**
 * The control socket: HTTP over a unix socket that only its owner may open, where `hp-proxy stats`, `reload` and
 * `healthcheck` ask a running proxy.
 *
 * Places, by default: a folder `hp-proxy` in $XDG_RUNTIME_DIR, in /run for root, else `hp-proxy-UID` in the
 * folder for temporary files; in it one socket for each process, named by its number.
 */
import { chmod, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Answering, answer } from "./answering.ts";
import { closeServer } from "./close-server.ts";
import type { ReloadResult } from "./reload.ts";
import type { StatsReport } from "./stats-report.ts";
import type { UpgradeResult } from "./upgrade.ts";

/** The control socket cannot be opened, or nothing answers there. `message` is a sentence for people. */
export class ControlUnavailable extends Error {
  override readonly name = "ControlUnavailable";
}

const ANSWER_TIMEOUT_MS = 2_000;
/** Names are resolved, sockets opened and processes started meanwhile. */
const CHANGE_TIMEOUT_MS = 120_000;
const USER_ONLY = 0o700;

/** The folder of the default sockets. */
export function controlFolder(environment: Readonly<Record<string, string | undefined>>): string {
  if (process.platform === "win32") return "\\\\.\\pipe";
  const runtime = environment.XDG_RUNTIME_DIR;
  if (runtime !== undefined && runtime !== "") return join(runtime, "hp-proxy");
  const user = process.getuid?.() ?? 0;
  return user === 0 ? "/run/hp-proxy" : join(tmpdir(), `hp-proxy-${user}`);
}

/** Where the process with number `pid` listens by default. */
export function defaultControlPath(folder: string, pid: number): string {
  return process.platform === "win32" ? `${folder}\\hp-proxy-${pid}` : join(folder, `${pid}.sock`);
}

export interface ControlSocket {
  readonly path: string;
  /** From now on whoever opens `path` reaches this one, and before that whoever was there: never nobody. */
  publish(): Promise<void>;
  /** As `closeServer`, and removes `path` unless another is there by now. */
  close(waitMs?: number): Promise<void>;
}

/**
 * Opens the control socket for `path`, or for the default place where that is "". It is reached there from
 * `publish` on. A dead socket in the way is replaced, and so is that of the process `predecessorPid`.
 */
export async function openControlSocket(
  path: string,
  folder: string,
  proxy: Answering,
  predecessorPid = 0,
): Promise<ControlSocket> {
  const where = path === "" ? defaultControlPath(folder, process.pid) : path;
  if (path === "" && process.platform !== "win32") {
    await makeFolder(folder);
    await sweep(folder);
  }
  const server = createServer((question, response) => {
    void answer(proxy, true, question, response);
  });
  await assertReplaceable(where, predecessorPid);
  // A socket that is made under another name and then renamed is never missing where it is looked for; and
  // Node, which removes what it has made, leaves alone what somebody else has put there since.
  // With a slash in any case: Node takes `.123` alone for the number of a port.
  const made = process.platform === "win32" ? where : `${dirname(where)}/.${process.pid}`;
  if (made !== where) await rm(made, { force: true });
  await listen(server, made, where);
  server.unref();
  const inode = made === where ? 0 : (await lstat(made)).ino;
  return {
    path: where,
    async publish() {
      if (made !== where) await rename(made, where);
    },
    async close(waitMs) {
      await closeServer(server, waitMs);
      const found = inode === 0 ? undefined : await lstat(where).catch(() => undefined);
      if (found?.ino === inode) await rm(where, { force: true });
    },
  };
}

/** The folder may stand where others can write: what is there already must be ours, and a folder. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: USER_ONLY, recursive: true });
    const found = await lstat(folder);
    if (found.isDirectory() && found.uid === process.getuid?.()) return;
  } catch (error) {
    throw new ControlUnavailable(`cannot make ${folder}: ${codeOf(error)}; choose a place with --control`);
  }
  throw new ControlUnavailable(`${folder} belongs to somebody else; choose a place with --control`);
}

/** Removes the sockets of processes that are gone: who was killed could not do it. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(/^([1-9]\d*)\.sock$/.exec(name)?.[1] ?? 0);
    if (pid === 0 || isAlive(pid)) continue;
    const path = join(folder, name);
    // A process of another container may have the number of none here: nobody must accept, either.
    if (await isRefused(path)) await rm(path, { force: true }).catch(() => {});
  }
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    connection.on("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
    connection.on("connect", () => {
      connection.destroy();
      resolve(false);
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

async function assertReplaceable(path: string, predecessorPid: number): Promise<void> {
  if (process.platform === "win32") return;
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new ControlUnavailable(`${path} is there and is not a socket; choose another --control`);
  const answer = await readStats(path).catch(() => undefined);
  if (answer !== undefined && answer.pid !== predecessorPid)
    throw new ControlUnavailable(`process ${answer.pid} has its control socket at ${path}`);
}

/** Listens at `made`; errors tell of `path`. */
async function listen(server: Server, made: string, path: string): Promise<void> {
  // The socket file gets its mode as it is made: nobody can slip in before chmod.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(made, resolve);
    });
  } catch (error) {
    throw new ControlUnavailable(
      `cannot open the control socket ${path}: ${codeOf(error)}; choose a place with --control`,
    );
  } finally {
    process.umask(mask);
  }
  if (process.platform !== "win32") await chmod(made, 0o600);
}

/** Asks the proxy at `path` for its figures. Rejects with `ControlUnavailable`. */
export async function readStats(path: string): Promise<StatsReport> {
  return JSON.parse((await ask(path, "GET", "/stats", ANSWER_TIMEOUT_MS)).text) as StatsReport;
}

/** Has the proxy at `path` read its configuration again. Rejects with `ControlUnavailable`. */
export async function askReload(path: string): Promise<ReloadResult> {
  return JSON.parse((await ask(path, "POST", "/reload", CHANGE_TIMEOUT_MS)).text) as ReloadResult;
}

/** Has the proxy at `path` start one that takes over from it. Rejects with `ControlUnavailable`. */
export async function askUpgrade(path: string): Promise<UpgradeResult> {
  return JSON.parse((await ask(path, "POST", "/upgrade", CHANGE_TIMEOUT_MS)).text) as UpgradeResult;
}

/** Why the proxy at `path` is not ready; "" when it is. Rejects with `ControlUnavailable`. */
export async function askReadiness(path: string): Promise<string> {
  const { status, text } = await ask(path, "GET", "/readyz", ANSWER_TIMEOUT_MS, [200, 503]);
  return status === 200 ? "" : text.trim();
}

function ask(
  path: string,
  method: string,
  target: string,
  timeout: number,
  expected: readonly number[] = [200],
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const failed = (why: string) => reject(new ControlUnavailable(`no proxy answers at ${path}: ${why}`));
    const question = request({ socketPath: path, method, path: target, agent: false, timeout });
    question.on("timeout", () => question.destroy(new Error("no answer")));
    question.on("error", (error) => failed(whyUnanswered(codeOf(error))));
    question.on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => {
        text += piece;
      });
      answer.on("error", (error) => failed(codeOf(error)));
      answer.on("end", () => {
        const status = answer.statusCode ?? 0;
        if (expected.includes(status)) resolve({ status, text });
        else failed(`status ${status}`);
      });
    });
    question.end();
  });
}

/** The proxies that answer at the default places, in no order. */
export async function findProxies(folder: string): Promise<{ path: string; report: StatsReport }[]> {
  const pattern = process.platform === "win32" ? /^hp-proxy-\d+$/ : /^\d+\.sock$/;
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => pattern.test(name))
      .map(async (name) => {
        const path = process.platform === "win32" ? `${folder}\\${name}` : join(folder, name);
        const report = await readStats(path).catch(() => undefined);
        return report === undefined ? [] : [{ path, report }];
      }),
  );
  return found.flat();
}

/** What is likely behind an error of connecting to a control socket. */
function whyUnanswered(code: string): string {
  if (code === "ENOENT")
    return "there is no such socket (ENOENT); its proxy has ended, or runs as another user";
  if (code === "ECONNREFUSED") return "nobody listens there (ECONNREFUSED); its proxy has ended";
  if (code === "EACCES") return "that is not allowed (EACCES); its proxy runs as another user";
  return code;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
