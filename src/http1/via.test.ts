/** How often Via fields name a proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { feedAll } from "../../test/http1/feeds.ts";
import { asciiBytes } from "../base/bytes.ts";
import { MessageHead } from "./message-head.ts";
import { parseRequestHead } from "./request-head.ts";
import { viaCount } from "./via.ts";

const START = 100;
const ROWS: { via: string[]; count: number; why?: string }[] = [
  { via: [], count: 0 },
  { via: ["1.1 hp"], count: 1 },
  { via: ["HTTP/1.1 HP"], count: 1, why: "protocol name, any case" },
  { via: ["1.0 a, 1.1 hp, 1.1 b"], count: 1 },
  { via: ["1.1 hp,1.1 hp ,\t1.1  hp"], count: 3 },
  { via: ["1.1 hp", "1.1 other", "1.1 hp"], count: 2, why: "several lines" },
  { via: ["1.1 hp (a, 1.1 hp)"], count: 1, why: "a comma in a comment" },
  { via: ["1.1 x (a (1.1 hp,) \\) , 1.1 hp), 1.1 hp"], count: 1, why: "nested and escaped" },
  { via: ["1.1 hp-2, 1.1 hpx, 1.1 xhp, hp 1.1, hp"], count: 0, why: "other names" },
  { via: ["1.1 x hp"], count: 0 },
  { via: ["", " , ,, ", "1.1"], count: 0, why: "nothing to read" },
  { via: ["1.1 x (hp, 1.1 hp"], count: 0, why: "an open comment" },
];

for (const { via, count, why } of ROWS) {
  test(`via ${JSON.stringify(via)}: ${count}${why === undefined ? "" : `, ${why}`} (RFC 9110 §7.6.3)`, () => {
    const lines = ["Host: x", ...via.map((value) => `Via: ${value}`), "X-Via: 1.1 hp"];
    const wire = `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
    const head = new MessageHead();
    assert.equal(feedAll(parseRequestHead, head, wire, ""), wire.length);
    const memory = asciiBytes(`${"x".repeat(START)}${wire}`);
    assert.equal(viaCount(memory, head, asciiBytes("hp")), count);
  });
}
