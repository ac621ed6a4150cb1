import assert from "node:assert/strict";
import { test } from "node:test";
import { takePassedSockets } from "./inheritance.ts";

test("passed sockets: for this process only, and no variable is left for children", () => {
  for (const [environment, fds, names] of [
    [{}, [], [""]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "web:admin" }, [3, 4], ["web", "admin"]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_PIDFDID: "9" }, [3], [""]],
    [{ LISTEN_PID: "8", LISTEN_FDS: "1" }, [], [""]],
    [{ LISTEN_FDS: "1" }, [], [""]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "-1" }, [], [""]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "1e3" }, [], [""]],
    [{ LISTEN_PID: "7", LISTEN_FDS: "99999" }, [], [""]],
  ] as const) {
    const left: Record<string, string | undefined> = { ...environment, OTHER: "stays" };
    assert.deepEqual(takePassedSockets(left, 7), { fds, names });
    assert.deepEqual(left, { OTHER: "stays" });
  }
});
