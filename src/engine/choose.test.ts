import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { type Engine, type EngineOptions, EngineUnavailable } from "../contract/port.ts";
import { chooseEngine } from "./choose.ts";

const OPTIONS: EngineOptions = { listeners: [], connectionsMax: 4, smallSlots: 4, largeSlots: 4 };

test("auto: an engine runs, and each that was passed over has its reason", async () => {
  const { engine, passedOver } = await chooseEngine("auto", OPTIONS);
  const order = ["uring", "epoll", "net"];
  assert.deepEqual(
    [...passedOver.map(({ name }) => name), engine.name],
    order.slice(0, passedOver.length + 1),
  );
  for (const { reason } of passedOver) assert.notEqual(reason, "");
  await engine.stop();
});

test("a named engine is that engine, or the reason why not", async () => {
  for (const name of ["uring", "epoll", "net"] as const) {
    let engine: Engine;
    try {
      ({ engine } = await chooseEngine(name, OPTIONS));
    } catch (error) {
      assert.notEqual(name, "net");
      assert.ok(error instanceof EngineUnavailable && error.message !== "");
      continue;
    }
    assert.equal(engine.name, name);
    await engine.stop();
  }
});

test("auto: a listener that cannot be opened is no reason to try another engine", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const listeners = [{ host: "127.0.0.1", port }];
  await assert.rejects(chooseEngine("auto", { ...OPTIONS, listeners }), /EADDRINUSE/);
  server.close();
});
