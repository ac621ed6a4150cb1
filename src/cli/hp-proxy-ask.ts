/** `hp-proxy reload`, `hp-proxy upgrade` and `hp-proxy healthcheck`: ask a running proxy, and say what it answered. */
import { get } from "node:http";
import { errorsText } from "../config/config-error.ts";
import { askReadiness, askReload, askUpgrade, ControlUnavailable } from "../control/control-socket.ts";
import type { Environment } from "../control/options.ts";
import { askedPath, askingFlags, readAsking } from "./asked-proxy.ts";

const RELOAD_HELP = `hp-proxy reload: has a running proxy read its configuration again

  hp-proxy reload                the only proxy of this user
  hp-proxy reload PID            that process

  --control PATH                 ask here (HP_PROXY_CONTROL)
  -h, --help                     this text

Prints what has changed. Exit status 0: the new configuration is in force in every worker;
1: something is wrong, which is told, and the old one stays.
`;

const UPGRADE_HELP = `hp-proxy upgrade: has a new process take over from a running proxy

  hp-proxy upgrade               the only proxy of this user
  hp-proxy upgrade PID           that process

  --control PATH                 ask here (HP_PROXY_CONTROL)
  -h, --help                     this text

The new process is started as the old one was, from what is installed now, and inherits its
listening sockets; the old one finishes what is in flight, within drainTimeout, and ends.
Exit status 0: a new process has taken over. 1: none has, for the reason that is told, and the
old one goes on.
`;

const HEALTHCHECK_HELP = `hp-proxy healthcheck: does a running proxy take requests?

  hp-proxy healthcheck           the only proxy of this user
  hp-proxy healthcheck PID       that process
  hp-proxy healthcheck --admin HOST:PORT
                                 by its admin listener (HP_PROXY_ADMIN)

  --control PATH                 ask here (HP_PROXY_CONTROL)
  -h, --help                     this text

Exit status 0: it does. 1: it does not (the reason is told), or there is none. As in
HEALTHCHECK CMD ["hp-proxy", "healthcheck"]
`;

const ASK_MS_MAX = 5_000;

/** Resolves to the exit status. */
export async function runReload(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readAsking(argv, askingFlags());
  if (given.errors.length > 0) return failed(errorsText("hp-proxy reload", given.errors, ""));
  if (given.switches.has("help")) return print(RELOAD_HELP);
  return await asking("hp-proxy reload", async () => {
    const path = await askedPath(given, environment);
    const { done, changes, errors } = await askReload(path);
    const lines = (texts: readonly string[]) => texts.map((text) => `  ${text}\n`).join("");
    if (!done)
      return failed(`hp-proxy reload: nothing was changed, the old one stays in force\n${lines(errors)}`);
    const what = changes.length === 0 ? "nothing has changed" : "the new configuration is in force";
    print(`hp-proxy reload: ${what}\n${lines(changes)}`);
    return errors.length === 0 ? 0 : failed(lines(errors));
  });
}

/** Resolves to the exit status. */
export async function runUpgrade(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readAsking(argv, askingFlags());
  if (given.errors.length > 0) return failed(errorsText("hp-proxy upgrade", given.errors, ""));
  if (given.switches.has("help")) return print(UPGRADE_HELP);
  return await asking("hp-proxy upgrade", async () => {
    const { done, oldPid, newPid, errors } = await askUpgrade(await askedPath(given, environment));
    if (done)
      return print(
        `hp-proxy upgrade: process ${newPid} has taken over; ${oldPid} finishes what is in flight\n`,
      );
    const lines = errors.map((text) => `  ${text}\n`).join("");
    return failed(`hp-proxy upgrade: process ${oldPid} goes on as before\n${lines}`);
  });
}

/** Resolves to the exit status. */
export async function runHealthcheck(argv: readonly string[], environment: Environment): Promise<number> {
  const given = readAsking(argv, askingFlags({ valued: ["admin"] }));
  if (given.errors.length > 0) return failed(errorsText("hp-proxy healthcheck", given.errors, ""));
  if (given.switches.has("help")) return print(HEALTHCHECK_HELP);
  return await asking("hp-proxy healthcheck", async () => {
    const admin = given.values.get("admin")?.at(-1) ?? environment.HP_PROXY_ADMIN ?? "";
    const isByAdmin =
      admin !== "" && admin !== "off" && given.words.length === 0 && !given.values.has("control");
    const reason = isByAdmin
      ? await readinessAt(admin)
      : await askReadiness(await askedPath(given, environment));
    return reason === "" ? print("ready\n") : failed(`hp-proxy healthcheck: ${reason}\n`);
  });
}

async function asking(command: string, ask: () => Promise<number>): Promise<number> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ControlUnavailable)) throw error;
    return failed(`${command}: ${error.message}\n`);
  }
}

/** As `askReadiness`, by the admin listener at `HOST:PORT`, `:PORT` or `PORT`. */
function readinessAt(admin: string): Promise<string> {
  const authority = /^:?\d+$/.test(admin) ? `127.0.0.1:${admin.replace(":", "")}` : admin;
  const reachable = authority.replace(/^(\[::\]|0\.0\.0\.0|\*):/, "127.0.0.1:");
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new ControlUnavailable(`no proxy answers at ${authority}: ${why}`));
    const question = get(`http://${reachable}/readyz`, { agent: false, timeout: ASK_MS_MAX }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece: string) => {
        text += piece;
      });
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve("");
        else if (answer.statusCode === 503) resolve(text.trim());
        else fail(`status ${answer.statusCode}`);
      });
    });
    question.on("timeout", () => question.destroy(new Error("no answer")));
    question.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  });
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function failed(text: string): number {
  process.stderr.write(text);
  return 1;
}
