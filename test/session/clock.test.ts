/** The `Date` of our own answers (RFC 9110 §6.6.1) when the system's clock is set. */
import assert from "node:assert/strict";
import { onEachEngine } from "./stage.ts";

const NOT_HTTP = "nonsense\r\n\r\n";

onEachEngine("Date follows the system's clock when it is set", {}, async (stage) => {
  const toldMs = async (): Promise<number> => {
    const client = stage.client();
    client.write(NOT_HTTP);
    const head = await client.until("\r\n\r\n");
    client.close();
    return Date.parse(/\r\ndate: ([^\r]*)\r\n/i.exec(head)?.[1] ?? "");
  };
  const now = Date.now();
  const first = await toldMs();
  assert.ok(Math.abs(first - now) <= 10_000, `${first} is about ${now}`);
  for (const year of [2040, 2001]) {
    const setTo = Date.UTC(year, 5, 1, 12);
    stage.session.followClock(setTo - performance.now());
    const seen = await toldMs();
    assert.ok(seen >= setTo && seen <= setTo + 10_000, `${seen} follows ${setTo}`);
  }
});
