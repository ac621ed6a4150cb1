/**
 * A process of its own for process.test.ts: an echo on the engine named by the first argument, over the
 * listening descriptor 3 that it inherited. It stops accepting at the line `accept no more`, stops the engine
 * at the line `stop`, and then must come to its end by itself. It reports in lines of words.
 */
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Engine, Handler } from "../../src/contract/port.ts";
import { EngineUnavailable } from "../../src/contract/port.ts";
import { chooseEngine, type EngineChoice } from "../../src/engine/choose.ts";

class Echo implements Handler {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  begin(): void {}
  connected(): void {}
  drained(): void {}

  accepted(): void {
    say("accepted");
  }

  received(connection: number, start: number, end: number): void {
    this.#engine.send(connection, start, end);
  }

  ended(connection: number): void {
    this.#engine.shutdown(connection);
  }

  failed(connection: number): void {
    this.#engine.close(connection);
  }

  end(): number {
    return 60_000;
  }
}

function say(...words: (string | number)[]): void {
  process.stdout.write(`${words.join(" ")}\n`);
}

/** Open descriptors of this process; -1 where they cannot be counted. */
function descriptorCount(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : -1;
}

const options = { listeners: [{ fd: 3 }], connectionsMax: 64, smallSlots: 16, largeSlots: 64 };
const choice = process.argv[2] as EngineChoice;
const lines = createInterface({ input: process.stdin });
try {
  // The first opening loads what stays loaded.
  await (await chooseEngine(choice, { ...options, listeners: [] })).engine.stop();
  say("warm");
  const before = descriptorCount();
  const { engine } = await chooseEngine(choice, options);
  engine.start(new Echo(engine));
  say("ready", engine.listenerAddresses[0]!);
  lines.on("line", (line) => {
    if (line === "accept no more") engine.stopAccepting();
    if (line !== "stop") return;
    void engine.stop().then(() => {
      say("stopped", before, descriptorCount());
      lines.close();
      process.stdin.destroy();
    });
  });
} catch (error) {
  if (!(error instanceof EngineUnavailable)) throw error;
  say("unavailable", error.message);
  lines.close();
  process.stdin.destroy();
}
