// Law: whatever the text, `readIp` says of its bytes what `parseIp` says of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "./ip-address.ts";
import { readIp } from "./ip-bytes.ts";

const group = fc.constantFrom("", "0", "1", "ff", "0db8", "FFFF", "12345", "g", "00", "1.2.3.4", "1.2.3");
const octet = fc.constantFrom("0", "1", "9", "10", "99", "192", "255", "256", "01", "", "1000", "x");
const text = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV6().map((address) => address.replace(/(?:^|:)0+(?::0+)*(?:$|:)/, "::")),
  fc.array(octet, { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
  fc.array(group, { maxLength: 9 }).map((parts) => parts.join(":")),
  fc.array(group, { maxLength: 7 }).map((parts) => `::${parts.join(":")}`),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefF:.[]% "), maxLength: 40 }),
);

function same(written: string): void {
  const memory = Buffer.from(`  ${written}:1`, "latin1");
  const into = new Uint8Array(16).fill(7);
  const is = readIp(memory, 2, memory.length - 2, into);
  const expected = parseIp(written);
  assert.equal(is, expected !== undefined, `whether ${JSON.stringify(written)} is an address`);
  if (expected !== undefined) assert.deepEqual(into, expected, `the bytes of ${written}`);
}

test("an address in bytes is what it is as text", () => {
  fc.assert(fc.property(text, same), { numRuns: 20_000 });
});

for (const written of [
  ...["", ":", "::", ":::", "1::", "::1", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"],
  ...["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "::ffff:192.0.2.1", "::1.2.3.4", "1.2.3.4::"],
  ...["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1::1.2.3.4:5", "12345::", "::12345", "fe80::1%eth0"],
  ...["1.2.3.4", "01.2.3.4", "1.2.3.4.", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1..2.3", "0.0.0.0"],
]) {
  test(`an address in bytes: ${JSON.stringify(written)}`, () => same(written));
}
