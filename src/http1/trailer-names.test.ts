/** What may come in a trailer section, by name (RFC 9110 §6.5.1). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes } from "../base/bytes.ts";
import { mayTrail } from "./trailer-names.ts";

const NAMES: { why: string; rfc: string; names: string[]; may: boolean }[] = [
  { why: "framing", rfc: "9112 §6", names: ["Content-Length", "Transfer-Encoding", "Trailer"], may: false },
  {
    why: "one connection's",
    rfc: "9110 §7.6.1",
    names: ["Connection", "Keep-Alive", "TE", "Upgrade", "Proxy-Connection"],
    may: false,
  },
  {
    why: "routing",
    rfc: "9110 §6.5.1",
    names: [
      "Host",
      "Max-Forwards",
      "Via",
      "Forwarded",
      "X-Forwarded",
      "X-Forwarded-For",
      "x-forwarded-host",
      "X-Real-IP",
      "X-Original-URL",
    ],
    may: false,
  },
  {
    why: "conditions",
    rfc: "9110 §13.1",
    names: ["If-Match", "If-None-Match", "If-Modified-Since", "If-Range"],
    may: false,
  },
  {
    why: "modifiers",
    rfc: "9110 §6.5.1",
    names: ["Cache-Control", "Expect", "Range", "Pragma", "Accept", "Accept-Encoding"],
    may: false,
  },
  {
    why: "authentication",
    rfc: "9110 §11",
    names: [
      "Authorization",
      "Cookie",
      "Set-Cookie",
      "WWW-Authenticate",
      "Proxy-Authorization",
      "Proxy-Authenticate",
    ],
    may: false,
  },
  {
    why: "control data",
    rfc: "9110 §6.5.1",
    names: ["Age", "Date", "Expires", "Location", "Retry-After", "Vary"],
    may: false,
  },
  {
    why: "content",
    rfc: "9110 §8",
    names: ["Content-Type", "Content-Encoding", "Content-Range", "content-anything"],
    may: false,
  },
  { why: "a name that is two to CGI", rfc: "9110 §5.1", names: ["x_checksum", "content_length"], may: false },
  {
    why: "integrity",
    rfc: "9530 §6.4",
    names: ["Content-Digest", "content-digest", "Repr-Digest", "Digest"],
    may: true,
  },
  { why: "a validator", rfc: "9110 §8.8.3", names: ["ETag"], may: true },
  { why: "gRPC's", rfc: "9110 §6.5", names: ["grpc-status", "grpc-message"], may: true },
  {
    why: "anybody's",
    rfc: "9110 §6.5",
    names: ["X-Checksum", "Server-Timing", "Hosts", "Content", "a", "I"],
    may: true,
  },
];

for (const { why, rfc, names, may } of NAMES) {
  for (const name of names) {
    test(`trailer ${name} (${why}) ${may ? "may" : "may not"} go on (RFC ${rfc})`, () => {
      for (const text of [name, name.toUpperCase(), name.toLowerCase()]) {
        const bytes = asciiBytes(`::${text}::`);
        assert.equal(mayTrail(bytes, 2, 2 + text.length), may);
      }
    });
  }
}
