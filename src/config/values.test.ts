import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesText,
  durationText,
  Problem,
  readBackend,
  readBytes,
  readDurationMs,
  readInteger,
  readListenAddress,
} from "./values.ts";

/** A reader, a text, and the value, or the beginning of the remedy where the text is refused. */
type Case = readonly [text: string, value: unknown, remedy?: string];

function table(name: string, read: (text: string) => unknown, cases: readonly Case[]): void {
  for (const [text, value, remedy] of cases) {
    test(`${name} ${JSON.stringify(text)}${remedy === undefined ? "" : " is refused"}`, () => {
      const result = read(text);
      if (remedy === undefined) {
        assert.deepEqual(result, value);
      } else {
        assert(result instanceof Problem, "a problem is expected");
        assert.match(result.remedy, new RegExp(`^${remedy.replaceAll(/[[\]().?]/g, "\\$&")}`));
      }
    });
  }
}

table("duration", (text) => readDurationMs(text, 0, 86_400_000), [
  ["250ms", 250],
  ["30s", 30_000],
  ["1.5s", 1_500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0", 0],
  ["30", undefined, "write a number with ms, s, m or h"],
  ["-1s", undefined, "write a number with"],
  ["30 s", undefined, "write a number with"],
  ["soon", undefined, "write a number with"],
  ["", undefined, "write a number with"],
  ["25h", undefined, "write something from 0 to 24h"],
]);

table("size", (text) => readBytes(text, 256, 65_536), [
  ["4096", 4096],
  ["64KiB", 65_536],
  ["300B", 300],
  ["64KB", undefined, "write a number of bytes, or one with KiB"],
  ["1MiB", undefined, "write something from 256B to 64KiB"],
  ["1", undefined, "write something from"],
  ["many", undefined, "write a number of bytes"],
]);

table("number", (text) => readInteger(text, 1, 256), [
  ["1", 1],
  ["256", 256],
  ["0", undefined, "write a number from 1 to 256"],
  ["257", undefined, "write a number from 1 to 256"],
  ["1e2", undefined, "write a number"],
  ["0x10", undefined, "write a number"],
  ["9999999999999999999", undefined, "write a number"],
]);

table("listener", readListenAddress, [
  ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
  ["[::]:8080", { host: "::", port: 8080 }],
  ["[2001:db8::1]:0", { host: "2001:db8::1", port: 0 }],
  [":8080", { host: "", port: 8080 }],
  ["*:8080", { host: "", port: 8080 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ["8080", undefined, "write :8080 for every address"],
  ["nowhere", undefined, "write host:port"],
  ["::1:8080", undefined, "write host:port"],
  ["[::g]:8080", undefined, "write host:port"],
  ["a b:80", undefined, "write host:port"],
  ["localhost:65536", undefined, "write a number from 0 to 65535"],
  ["localhost:", undefined, "write a number from 0 to 65535"],
]);

table("backend", readBackend, [
  ["localhost:3001", { kind: "host", name: "localhost:3001", host: "localhost", port: 3001 }],
  ["api.internal:80", { kind: "host", name: "api.internal:80", host: "api.internal", port: 80 }],
  ["my_app_1:80", { kind: "host", name: "my_app_1:80", host: "my_app_1", port: 80 }],
  ["192.0.2.1:80", { kind: "address", name: "192.0.2.1:80", address: "192.0.2.1:80" }],
  ["[::1]:3001", { kind: "address", name: "[::1]:3001", address: "[::1]:3001" }],
  ["unix:/run/app.sock", { kind: "address", name: "unix:/run/app.sock", address: "unix:/run/app.sock" }],
  ["3001", undefined, "write localhost:3001"],
  [":3001", undefined, "write localhost:3001"],
  ["localhost", undefined, "write host:port"],
  ["::1", undefined, "write [::1]:80"],
  ["localhost:0", undefined, "write a number from 1 to 65535"],
  ["localhost:http", undefined, "write a number from 1 to 65535"],
  ["192.0.2.256:80", undefined, "write four numbers"],
  ["a b:80", undefined, "write host:port"],
  ["http://localhost:3001/x", undefined, "write localhost:3001"],
  ["http://localhost", undefined, "write localhost:80"],
  ["https://localhost", undefined, "write host:port of a plain HTTP server"],
  ["unix:app.sock", undefined, "write unix:/run/app.sock"],
  [`unix:/${"x".repeat(107)}`, undefined, "use at most 107 bytes"],
]);

test("a duration's text is read back as the same span", () => {
  for (const ms of [0, 1, 250, 1_000, 1_500, 60_000, 90_000, 3_600_000]) {
    assert.equal(readDurationMs(durationText(ms), 0, 86_400_000), ms);
  }
});

test("a size's text is read back as the same size", () => {
  for (const bytes of [1, 1000, 1024, 65_536, 1_048_576, 1_048_577]) {
    assert.equal(readBytes(bytesText(bytes), 1, 1024 ** 3), bytes);
  }
});
