import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { installed } from "../../../test/harness/program.ts";
import { sendDatagram } from "./datagram.ts";
import { loadSyscalls } from "./syscalls.ts";

const python = installed("python3");
const SCRIPT = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)
`;

function missing(): string | false {
  if (python === "") return "python3 is not installed";
  try {
    loadSyscalls();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

for (const [kind, nameIn] of [
  ["a path", (folder: string) => path.join(folder, "notify")],
  ["an abstract name", (folder: string) => `@${path.basename(folder)}`],
] as const) {
  test(`a datagram comes to ${kind}`, { skip: missing(), timeout: 20_000 }, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "hp-proxy-datagram-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const name = nameIn(folder);
    const child = spawn(python, ["-c", SCRIPT, name], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    await once(child.stdout, "data");
    assert.equal(sendDatagram(name, "READY=1\nSTATUS=hello"), 0);
    await once(child, "close");
    assert.equal(said, "bound\nREADY=1\nSTATUS=hello\n");
  });
}

test("a socket that is not there is an errno", { skip: missing() }, () => {
  assert.equal(sendDatagram("/nonexistent/notify", "READY=1"), -2);
  assert.equal(sendDatagram("x".repeat(200), "READY=1"), -90);
});
