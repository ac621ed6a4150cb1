import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Answering } from "./answering.ts";
import { openControlSocket } from "./control-socket.ts";

for (const where of ["control.sock", "./control.sock", "absolute"])
  test(`a control socket at ${where}`, { skip: process.platform === "win32" }, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "hp-control-"));
    const before = process.cwd();
    process.chdir(folder);
    t.after(() => {
      process.chdir(before);
      rmSync(folder, { recursive: true });
    });
    const place = where === "absolute" ? path.join(folder, "control.sock") : where;
    const socket = await openControlSocket(place, folder, {} as Answering);
    await socket.publish();
    assert.ok(existsSync("control.sock"));
    await socket.close();
    assert.ok(!existsSync("control.sock"));
  });
