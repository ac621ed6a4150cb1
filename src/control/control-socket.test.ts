import assert from "node:assert/strict";
import { existsSync, linkSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Answering } from "./answering.ts";
import { openControlSocket, readStats } from "./control-socket.ts";

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

const UNANSWERED: readonly { name: string; says: RegExp; make(file: string): Promise<void> | void }[] = [
  { name: "is not there", says: /: there is no such socket \(ENOENT\); its proxy has ended/, make: () => {} },
  {
    name: "is that of a process that is gone",
    says: /: nobody listens there \(ECONNREFUSED\); its proxy has ended$/,
    make: abandon,
  },
];
for (const { name, says, make } of UNANSWERED)
  test(`a control socket that ${name}: a sentence says so`, {
    skip: process.platform === "win32",
  }, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "hp-control-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "1.sock");
    await make(file);
    await assert.rejects(readStats(file), { name: "ControlUnavailable", message: says });
  });

/** Leaves a socket at `file` that nobody listens at. */
async function abandon(file: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${file}.made`, resolve));
  linkSync(`${file}.made`, file);
  await new Promise((resolve) => server.close(resolve));
}
