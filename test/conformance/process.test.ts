/**
 * What only a process of its own can show: inherited listeners are shared, `stop` leaves nothing, the process
 * ends.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

const CHILD = path.join(import.meta.dirname, "echo-child.ts");
const ENGINES = process.platform === "linux" ? ["uring", "epoll", "net"] : ["net"];

class EchoChild {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  #wakeUp: () => void = () => {};
  readonly exitCode: Promise<number | null>;

  constructor(engine: string, listeningFd: number) {
    this.child = spawn(process.execPath, [CHILD, engine], {
      stdio: ["pipe", "pipe", "inherit", listeningFd],
    });
    this.exitCode = once(this.child, "exit").then(([code]) => code as number | null);
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      this.#lines.push(line);
      this.#wakeUp();
    });
  }

  say(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** The next line that begins with `word`, or with `unavailable`. */
  async line(word: string): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => line.startsWith(word) || line.startsWith("unavailable"));
      if (at >= 0) return this.#lines.splice(0, at + 1)[at]!;
      await new Promise<void>((resolve) => {
        this.#wakeUp = resolve;
      });
    }
  }
}

/** Sends `text` on a new connection and returns what comes back. */
async function echoed(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.setEncoding("latin1");
  socket.end(text);
  let back = "";
  for await (const chunk of socket) back += chunk;
  return back;
}

async function listening(): Promise<{ server: Server; port: number; fd: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { server, port, fd: (server as unknown as { _handle: { fd: number } })._handle.fd };
}

for (const engine of ENGINES) {
  test(`${engine}: an inherited listener is shared; the process ends when the engine stops`, async (t) => {
    const { server, port, fd } = await listening();
    const first = new EchoChild(engine, fd);
    const second = new EchoChild(engine, fd);
    t.after(() => {
      first.child.kill();
      second.child.kill();
    });
    const words = [await first.line("ready"), await second.line("ready")];
    server.close();
    if (words[0]!.startsWith("unavailable")) {
      if (process.env.CI) assert.fail(words[0]!);
      return t.skip(words[0]!);
    }
    assert.deepEqual(words, [`ready 127.0.0.1:${port}`, `ready 127.0.0.1:${port}`]);
    for (let i = 0; i < 10; i++) assert.equal(await echoed(port, `hello ${i}`), `hello ${i}`);
    first.say("stop");
    const [, before, after] = (await first.line("stopped")).split(" ");
    // Node's own sockets cannot leave an inherited descriptor open: that one may be gone too.
    assert.ok(Number(after) <= Number(before), `${after} descriptors after ${before}`);
    assert.equal(await first.exitCode, 0, "the process ends by itself");
    for (let i = 0; i < 10; i++) assert.equal(await echoed(port, `still ${i}`), `still ${i}`);
    second.say("accept no more");
    second.say("stop");
    assert.equal(await second.exitCode, 0);
  });
}
