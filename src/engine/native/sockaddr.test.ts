import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeAddress, encodeAddress, SOCKADDR_BYTES } from "./sockaddr.ts";

const ROUND_TRIPS: readonly { name: string; text: string; back?: string; bytes: number }[] = [
  { name: "IPv4", text: "192.0.2.1:80", bytes: 16 },
  { name: "IPv4, largest numbers", text: "255.255.255.255:65535", bytes: 16 },
  { name: "IPv6", text: "[2001:db8::1]:443", bytes: 28 },
  { name: "IPv6 unspecified", text: "[::]:0", bytes: 28 },
  { name: "IPv6 loopback", text: "[::1]:8080", bytes: 28 },
  { name: "IPv6, all groups", text: "[1:2:3:4:5:6:7:8]:1", bytes: 28 },
  { name: "IPv6 ends in zeros", text: "[fe80::]:1", bytes: 28 },
  { name: "a single zero group stays (RFC 5952 §4.2.2)", text: "[1:0:3:4:5:6:7:8]:1", bytes: 28 },
  {
    name: "the longest run shrinks (RFC 5952 §4.2.3)",
    text: "[1:0:0:2:0:0:0:3]:1",
    back: "[1:0:0:2::3]:1",
    bytes: 28,
  },
  {
    name: "the first of equal runs shrinks",
    text: "[1:0:0:2:3:0:0:4]:1",
    back: "[1::2:3:0:0:4]:1",
    bytes: 28,
  },
  {
    name: "upper case becomes lower (RFC 5952 §4.3)",
    text: "[2001:DB8::A]:1",
    back: "[2001:db8::a]:1",
    bytes: 28,
  },
  { name: "IPv4-mapped is written as IPv4", text: "[::ffff:192.0.2.7]:1", back: "192.0.2.7:1", bytes: 28 },
  { name: "dotted tail", text: "[64:ff9b::192.0.2.33]:1", back: "[64:ff9b::c000:221]:1", bytes: 28 },
  { name: "dotted tail after a double colon", text: "[::1.2.3.4]:1", back: "[::102:304]:1", bytes: 28 },
  { name: "Unix path", text: "unix:/run/app.sock", bytes: 2 + 13 + 1 },
];

for (const { name, text, back, bytes } of ROUND_TRIPS) {
  test(`address: ${name}`, () => {
    const memory = new Uint8Array(SOCKADDR_BYTES + 8).fill(0xaa);
    const length = encodeAddress(text, memory, 8);
    assert.equal(length, bytes);
    assert.equal(decodeAddress(memory, 8, length), back ?? text);
  });
}

const REFUSED = [
  "",
  ":80",
  "192.0.2.1",
  "192.0.2.1:",
  "192.0.2.1:65536",
  "192.0.2.1:-1",
  "192.0.2.1: 80",
  "192.0.2:80",
  "192.0.2.256:80",
  "192.0.2.01:80",
  "192.0.2.1.5:80",
  "localhost:80",
  "::1:80",
  "[::1]",
  "[::1:80",
  "[192.0.2.1]:80",
  "[1::2::3]:80",
  "[1:2:3:4:5:6:7]:80",
  "[1:2:3:4:5:6:7:8:9]:80",
  "[1:2:3:4:5:6:7:8::]:80",
  "[12345::]:80",
  "[g::]:80",
  "[fe80::1%eth0]:80",
  "unix:",
  `unix:/${"x".repeat(107)}`,
  "unix:/a\0b",
];

for (const text of REFUSED) {
  test(`address refused: ${JSON.stringify(text)}`, () => {
    assert.equal(encodeAddress(text, new Uint8Array(SOCKADDR_BYTES), 0), -1);
  });
}
