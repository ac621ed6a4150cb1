/** docs/errors.md names every answer that the proxy gives itself, as the code has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "../../src/http1/fault.ts";
import { type Failure, Failures, faultProxyError } from "../../src/session/failure.ts";
import { documentedRows } from "./tables.ts";

const NOTHING = "–";
const FAILURES: readonly Failure[] = Object.values(Failures);
/** The rows of the code have these columns; what the documentation says beyond is its own. */
const FAILURE_TITLES = ["status", "reason", "Proxy-Status error", "by", "phase", "message"];
const FAULT_TITLES = ["status", "reason", "Proxy-Status error", "rule (RFC)", "message"];

function byReason(rows: readonly string[][], columns: number): Map<string, string[]> {
  return new Map(rows.map((row) => [row[1]!, row.slice(0, columns)]));
}

test("docs/errors.md has every failure, and no other", () => {
  const rows = documentedRows("errors.md", FAILURE_TITLES);
  const coded = FAILURES.map(({ status, reason, proxyError, by, phase, text }) => [
    status === 0 ? NOTHING : `${status}`,
    reason,
    proxyError === "" ? NOTHING : proxyError,
    by,
    phase === "" ? "any" : phase,
    text,
  ]);
  assert.deepEqual(byReason(rows, FAILURE_TITLES.length), byReason(coded, FAILURE_TITLES.length));
  for (const [, reason, , , , , remedy] of rows) assert.ok(remedy, `${reason} says what to do`);
});

test("docs/errors.md has every fault of requests, and no other", () => {
  const failures = new Set(FAILURES.map(({ reason }) => reason));
  const coded = Object.values(FAULTS)
    // A response that cannot be read is the failure `bad_response`, whatever its fault.
    .filter(({ name, status }) => status !== 502 && !failures.has(name))
    .map(({ status, name, rfc, text }) => [`${status}`, name, faultProxyError(status), rfc, text]);
  const rows = documentedRows("errors.md", FAULT_TITLES);
  assert.deepEqual(byReason(rows, FAULT_TITLES.length), byReason(coded, FAULT_TITLES.length));
});
