/** Which heads the policy refuses, and which peers are believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiBytes } from "../base/bytes.ts";
import { parseNetwork } from "../base/ip-address.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_POLICY,
  DEFAULT_TIMEOUTS,
  type Policy,
  type Snapshot,
} from "../contract/snapshot.ts";
import { MessageHead } from "../http1/message-head.ts";
import { parseRequestHead } from "../http1/request-head.ts";
import { HeadRules, isTrusted, LOOP_PASSES } from "./head-rules.ts";

function snapshot(policy: Partial<Policy>): Snapshot {
  return {
    version: 1,
    mode: "http",
    viaName: "HP-proxy",
    clusters: [],
    listeners: [],
    timeouts: DEFAULT_TIMEOUTS,
    limits: { ...DEFAULT_LIMITS, requestBodyBytesMax: 1000 },
    policy: { ...DEFAULT_POLICY, ...policy },
  };
}

const VIA = `Via: ${"1.1 hp-proxy, ".repeat(LOOP_PASSES - 1)}1.1 other`;

const ROWS: {
  name: string;
  rfc: string;
  policy?: Partial<Policy>;
  line?: string;
  fields?: string[];
  reason: string;
}[] = [
  { name: "a plain request", rfc: "9110 §7.6", reason: "passes" },
  { name: "a whole URI", rfc: "9112 §3.2.2", line: "GET http://x/", reason: "passes" },
  { name: "a whole URI of https", rfc: "9110 §7.4", line: "GET HTTPS://x/", reason: "https_target" },
  {
    name: "a loop comes before the scheme",
    rfc: "9110 §7.6",
    line: "GET https://x/",
    fields: [`${VIA}, 1.1 HP-proxy`],
    reason: "loop",
  },
  { name: "TRACE", rfc: "9110 §9.3.8", line: "TRACE /", reason: "trace_method" },
  {
    name: "TRACE, passed",
    rfc: "9110 §9.3.8",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    reason: "passes",
  },
  {
    name: "TRACE that may go no further is not reflected",
    rfc: "9110 §7.6.2",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    fields: ["Max-Forwards: 0"],
    reason: "trace_method",
  },
  {
    name: "TRACE that may go one further",
    rfc: "9110 §7.6.2",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    fields: ["Max-Forwards: 1"],
    reason: "passes",
  },
  {
    name: "TRACE with content",
    rfc: "9110 §9.3.8",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    fields: ["Content-Length: 1"],
    reason: "trace_body",
  },
  {
    name: "TRACE in chunks",
    rfc: "9110 §9.3.8",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    fields: ["Transfer-Encoding: chunked"],
    reason: "trace_body",
  },
  {
    name: "TRACE with an empty body",
    rfc: "9110 §9.3.8",
    policy: { traceMethod: "pass" },
    line: "TRACE /",
    fields: ["Content-Length: 0"],
    reason: "passes",
  },
  { name: "CONNECT", rfc: "9110 §9.3.6", line: "CONNECT x:1", reason: "connect_method" },
  {
    name: "CONNECT, passed",
    rfc: "9110 §9.3.6",
    policy: { connectMethod: "pass" },
    line: "CONNECT x:1",
    reason: "passes",
  },
  {
    name: "CONNECT with an empty body",
    rfc: "9110 §9.3.6",
    policy: { connectMethod: "pass" },
    line: "CONNECT x:1",
    fields: ["Content-Length: 0"],
    reason: "connect_body",
  },
  {
    name: "CONNECT in chunks",
    rfc: "9110 §9.3.6",
    policy: { connectMethod: "pass" },
    line: "CONNECT x:1",
    fields: ["Transfer-Encoding: chunked"],
    reason: "connect_body",
  },
  {
    name: "a body within the limit",
    rfc: "9110 §15.5.14",
    fields: ["Content-Length: 1000"],
    reason: "passes",
  },
  {
    name: "a body beyond the limit",
    rfc: "9110 §15.5.14",
    fields: ["Content-Length: 1001"],
    reason: "request_body_too_large",
  },
  { name: "a name with _", rfc: "9110 §5.1", fields: ["a_b: 1"], reason: "passes" },
  {
    name: "a name with _",
    rfc: "9110 §5.1",
    policy: { underscoreNames: "reject" },
    fields: ["a_b:"],
    reason: "underscore_name",
  },
  {
    name: "a value with _",
    rfc: "9110 §5.1",
    policy: { underscoreNames: "reject" },
    fields: ["a: a_b"],
    reason: "passes",
  },
  {
    name: "%2F",
    rfc: "3986 §2.2",
    policy: { rejectEncodedSlashes: true },
    line: "GET /a%2Fb",
    reason: "path_refused",
  },
  { name: "%2F", rfc: "3986 §2.2", line: "GET /a%2Fb/../%00", reason: "passes" },
  {
    name: "a dot segment in absolute-form",
    rfc: "3986 §3.3",
    policy: { rejectDotSegments: true },
    line: "GET http://x/a/..",
    reason: "path_refused",
  },
  {
    name: "a host of dots is no path",
    rfc: "3986 §3.3",
    policy: { rejectDotSegments: true },
    line: "GET http://..",
    reason: "passes",
  },
  {
    name: "asterisk-form has no path",
    rfc: "9112 §3.2.4",
    policy: { rejectDotSegments: true, rejectEncodedSlashes: true, rejectEncodedNul: true },
    line: "OPTIONS *",
    reason: "passes",
  },
  {
    name: "%00",
    rfc: "3986 §2.1",
    policy: { rejectEncodedNul: true },
    line: "GET /%00",
    reason: "path_refused",
  },
  {
    name: "%00 in the query",
    rfc: "3986 §3.4",
    policy: { rejectEncodedNul: true },
    line: "GET /?%00",
    reason: "passes",
  },
  { name: "one pass less than a loop", rfc: "9110 §7.6.3", fields: [VIA], reason: "passes" },
  { name: "a loop, on two lines", rfc: "9110 §7.6.3", fields: [VIA, "via: 1.1 HP-PROXY"], reason: "loop" },
];

for (const { name, rfc, policy = {}, line = "GET /", fields = [], reason } of ROWS) {
  const options = JSON.stringify(policy);
  test(`head: ${name}, policy ${options}: ${reason} (RFC ${rfc})`, () => {
    const wire = asciiBytes(`${line} HTTP/1.1\r\n${["Host: x", ...fields].join("\r\n")}\r\n\r\n`);
    const head = new MessageHead();
    assert.equal(parseRequestHead(wire, 0, wire.length, head, DEFAULT_LIMITS), wire.length);
    const rules = new HeadRules(snapshot({}));
    rules.use(snapshot(policy));
    assert.equal(rules.refusal(wire, head)?.reason ?? "passes", reason);
  });
}

const PEERS: { peer: string; networks: string[]; trusted: boolean }[] = [
  { peer: "10.1.2.3", networks: ["10.0.0.0/8"], trusted: true },
  { peer: "11.1.2.3", networks: ["10.0.0.0/8"], trusted: false },
  { peer: "192.0.2.7", networks: ["10.0.0.0/8", "192.0.2.0/29"], trusted: true },
  { peer: "192.0.2.8", networks: ["10.0.0.0/8", "192.0.2.0/29"], trusted: false },
  { peer: "::1", networks: ["::1"], trusted: true },
  { peer: "::2", networks: ["::1"], trusted: false },
  { peer: "fe80::1%eth0", networks: ["fe80::/10"], trusted: true },
  { peer: "2001:db8::1", networks: ["0.0.0.0/0"], trusted: false },
  { peer: "1.2.3.4", networks: ["::/0"], trusted: true },
  { peer: "unix:", networks: ["::/0", "0.0.0.0/0"], trusted: false },
  { peer: "1.2.3.4", networks: [], trusted: false },
];
for (const { peer, networks, trusted } of PEERS) {
  test(`peer ${peer} is ${trusted ? "" : "not "}in ${networks.join(" or ") || "nothing"}`, () => {
    const parsed = networks.map((network) => parseNetwork(network)!);
    assert.equal(isTrusted(parsed, peer), trusted);
  });
}
