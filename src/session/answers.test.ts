/** Our own answers as they go out, and what they say of themselves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SMALL_SLOT_BYTES } from "../base/buffer-pool.ts";
import { textOf } from "../base/bytes.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { type Answer, Answers } from "./answers.ts";
import { type Failure, Failures, faultProxyError } from "./failure.ts";

/** Error types of RFC 9209 §2.3 that we use, and the statuses it recommends for them. */
const PROXY_ERRORS: Readonly<Record<string, readonly number[]>> = {
  destination_unavailable: [503],
  destination_ip_unroutable: [502],
  // 500 is recommended; it is the client that asks for what there is not.
  destination_not_found: [404],
  connection_refused: [502],
  connection_terminated: [502],
  connection_timeout: [504],
  connection_limit_reached: [503],
  http_request_error: [400, 408, 413, 414, 431],
  // 403 is recommended; these say more exactly what is wrong.
  http_request_denied: [400, 403, 405, 421, 429],
  http_response_header_section_size: [502],
  http_response_timeout: [504],
  http_protocol_error: [502],
  // The most fitting status.
  proxy_internal_response: [501, 502, 505],
  // 500 is recommended, and a hook's failure has it; out of buffers is over in a moment, and Retry-After says so.
  proxy_internal_error: [500, 503],
  proxy_loop_detected: [502],
};

const FAILURES: readonly Failure[] = Object.values(Failures);
const FAULT_CODES = Object.keys(FAULTS).map(Number) as Fault[];

/** Room for `Date` and the empty line. */
const REST_BYTES = 64;

function parts({ lines, body }: Answer): { head: string; body: string } {
  return { head: textOf(lines, 0, lines.length), body: textOf(body, 0, body.length) };
}

for (const failure of FAILURES) {
  const { reason, status, proxyError, text } = failure;
  test(`answers: ${reason}: ${status}`, () => {
    assert.match(reason, /^[a-z]+(_[a-z0-9]+)*$/);
    assert.match(text, /^[A-Z].*\.$/);
    assert.equal(proxyError === "", status === 0, "an error type exactly where there is an answer");
    if (status === 0) return;
    assert.ok(PROXY_ERRORS[proxyError]?.includes(status), `${proxyError} with ${status}`);
    const { head, body } = parts(new Answers("p").ofFailure(failure, false, false));
    assert.ok(head.startsWith(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`), head);
    assert.notEqual(reasonPhrase(status), "");
    assert.match(head, new RegExp(`\r\nProxy-Status: p; error=${proxyError}; details="${reason}"\r\n`));
    assert.equal(head.includes("\r\nAllow: "), status === 405);
    assert.equal(head.includes("\r\nRetry-After: "), status === 503);
    assert.doesNotMatch(head, /\r\nConnection: /);
    assert.equal(body, `${text}\n`);
  });
}

for (const fault of FAULT_CODES) {
  const { name, status, text } = FAULTS[fault];
  test(`answers: ${name}: ${status}`, () => {
    assert.ok(PROXY_ERRORS[faultProxyError(status)]?.includes(status), `${status}`);
    const { head, body } = parts(new Answers("p").ofFault(fault, false));
    assert.match(head, /\r\nConnection: close\r\n$/);
    assert.equal(body, `${text}\n`);
  });
}

test("answers: one reason is one answer", () => {
  const rows = [
    ...FAILURES.map(({ reason, status, text }) => ({ reason, status, text })),
    ...FAULT_CODES.map((fault) => FAULTS[fault]).map(({ name, status, text }) => ({
      reason: name,
      status,
      text,
    })),
  ];
  for (const row of rows)
    assert.deepEqual(
      row,
      rows.find(({ reason }) => reason === row.reason),
    );
});

test("answers: as JSON", () => {
  const { head, body } = parts(new Answers("p").ofFailure(Failures.connectRefused, true, true));
  assert.match(head, /\r\nContent-Type: application\/json\r\n/);
  assert.match(head, new RegExp(`\r\nContent-Length: ${body.length}\r\n`));
  assert.match(head, /\r\nConnection: close\r\n$/);
  assert.deepEqual(JSON.parse(body), {
    status: 502,
    error: "connect_refused",
    message: "The backend refused the connection.",
  });
});

const NAMES: readonly { name: string; member: string }[] = [
  { name: "hp-proxy", member: "hp-proxy" },
  { name: "proxy:8080", member: "proxy:8080" },
  { name: "1st", member: '"1st"' },
  { name: 'a"b\\c', member: '"a\\"b\\\\c"' },
];
for (const { name, member } of NAMES) {
  test(`answers: the name ${name} as a structured field (RFC 8941 §3.3)`, () => {
    const { head } = parts(new Answers(name).ofFailure(Failures.noEndpoint, false, true));
    assert.ok(head.includes(`\r\nProxy-Status: ${member}; error=`), head);
  });
}

test("answers: each fits a small slot, the name as long as may be", () => {
  const answers = new Answers("n".repeat(255));
  for (const json of [false, true]) {
    const all = [
      ...FAILURES.map((failure) => answers.ofFailure(failure, json, true)),
      ...FAULT_CODES.map((fault) => answers.ofFault(fault, json)),
    ];
    for (const { lines, body } of all)
      assert.ok(lines.length + body.length + REST_BYTES <= SMALL_SLOT_BYTES, textOf(lines, 0, 40));
  }
});
