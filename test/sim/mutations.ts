/**
 * Does the simulation notice? Each of these mistakes is made on purpose in a copy of the sources; then seeds
 * run until a law is broken.
 *
 *     node tools/node.cjs test/sim/mutations.ts [part of a name]
 *
 * Ends with 1 if a mistake was not found, or if its place is not there any more.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const SEEDS_MAX = 10_000;

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

function mutation(name: string, file: string, from: string, to: string): Mutation {
  return { name, file: `src/${file}`, from, to };
}

const CLIENT = "session/client-side.ts";
const ORIGIN = "session/origin-side.ts";
const EXCHANGES = "session/exchanges.ts";
const RESPONSES = "session/response-writer.ts";
const RELAY = "session/relay.ts";
const BODY = "http1/body.ts";
const ROUTING = "session/routing.ts";

const MUTATIONS: readonly Mutation[] = [
  mutation(
    "a response slot is not given back",
    RESPONSES,
    "this.#plane.buffers.release(exchange.slotStart);",
    "",
  ),
  mutation(
    "a request slot is not given back",
    EXCHANGES,
    "this.#plane.buffers.release(exchange.requestStart);",
    "",
  ),
  mutation(
    "the last byte of a body is dropped",
    BODY,
    "this.outEnd = pos + this.#remaining;",
    "this.outEnd = pos + this.#remaining - (this.#remaining > 9 ? 1 : 0);",
  ),
  mutation(
    "a body is a byte longer",
    BODY,
    "this.#remaining = contentLength;",
    "this.#remaining = contentLength + 1;",
  ),
  mutation("POST is repeated", EXCHANGES, "isIdempotent(exchange.method)", "true"),
  mutation("what is lost is never repeated", EXCHANGES, "if (!repeatable ||", "if (repeatable ||"),
  mutation(
    "a silent backend has no deadline",
    ORIGIN,
    "this.#plane.deadlines.set(leg.connection, leg.exchange!.timeouts.responseHeadMs);",
    "this.#plane.deadlines.clear(leg.connection);",
  ),
  mutation(
    "an idle client has no deadline",
    CLIENT,
    "deadlines.set(leg.connection, snapshot.timeouts.clientIdleMs);",
    "deadlines.clear(leg.connection);",
  ),
  mutation(
    "connecting has no deadline",
    ORIGIN,
    "plane.deadlines.set(connection, exchange.timeouts.connectMs);",
    "",
  ),
  mutation(
    "a connection with surplus is used again",
    ORIGIN,
    "const isClean = clean && this",
    "const isClean = this",
  ),
  mutation(
    "Connection: close of a backend is ignored",
    ORIGIN,
    "exchange.originKeepAlive = persists(responseHead) &&",
    "exchange.originKeepAlive =",
  ),
  mutation(
    "a connection is used again before its request has left",
    ORIGIN,
    "exchange.originKeepAlive && exchange.requestSent &&",
    "exchange.originKeepAlive &&",
  ),
  mutation(
    "no lingering behind a refusal",
    CLIENT,
    "    this.linger(leg);\n  }\n",
    "    this.closeBehindQueue(leg);\n  }\n",
  ),
  mutation(
    "a cut response ends as a whole one does",
    CLIENT,
    "    this.#close(leg, true);\n  }\n\n  detach(",
    "    this.#close(leg, false);\n  }\n\n  detach(",
  ),
  mutation(
    "a truncated body counts as complete",
    ORIGIN,
    "if (exchange.responseBody.finish()) this",
    "if (exchange.responseBody.finish() || true) this",
  ),
  mutation(
    "no backpressure",
    "session/plane.ts",
    "return queuedBytes > this.snapshot.limits.queuedBytesMax || pieces > QUEUED_PIECES_MAX;",
    "return false && pieces > QUEUED_PIECES_MAX;",
  ),
  mutation("draining is told again", "session/plane.ts", "this.#drainedTold = true;", ""),
  mutation(
    "a gauge is forgotten",
    ORIGIN,
    "        plane.count(Counter.originsIdle, -1);\n        plane.count(Counter.originsReused, 1);",
    "        plane.count(Counter.originsReused, 1);",
  ),
  mutation(
    "sent bytes are not counted",
    RESPONSES,
    "counters[Counter.clientBytesOut]! + (end - start)",
    "counters[Counter.clientBytesOut]!",
  ),
  mutation(
    "Content-Length beside Transfer-Encoding passes",
    "http1/framing.ts",
    "if (head.contentLength !== -1) return Fault",
    "if (head.contentLength < -1) return Fault",
  ),
  mutation(
    "a 304 has a body",
    "http1/framing.ts",
    "status === 204 || status === 304 ||",
    "status === 204 ||",
  ),
  mutation("FIN does not pass through a tunnel", RELAY, "    port.shutdown(partner);\n", ""),
  mutation(
    "early bytes of a tunnel are lost",
    EXCHANGES,
    "      this.#relays.forward(clientConnection, start, rangeEnd);",
    "      plane.buffers.release(start + 0 * rangeEnd);",
  ),
  mutation(
    "interim responses are swallowed",
    RESPONSES,
    "if (exchange.clientMinor === 0) return true;",
    "return true;",
  ),
  mutation(
    "HTTP/1.0 clients get interim responses",
    RESPONSES,
    "if (exchange.clientMinor === 0) return true;",
    "",
  ),
  mutation(
    "bytes behind a head in pieces are lost",
    "session/partial-head.ts",
    "return pos + take - surplus;",
    "return pos + take;",
  ),
  mutation(
    "a kept request loses its first byte",
    CLIENT,
    "ranges.advanceFirst(leg.pending, pos);",
    "ranges.advanceFirst(leg.pending, Math.min(end - 1, pos + 1));",
  ),
  mutation(
    "a paused client is never read again",
    CLIENT,
    "      this.#moved(leg);\n      port.resume(leg.connection);",
    "      this.#moved(leg);",
  ),
  mutation(
    "a route's request fields are not written",
    ROUTING,
    "requestEdits === null || this.#apply(exchange, requestEdits)",
    "requestEdits === null || true",
  ),
  mutation(
    "the slot of a route's response fields is not given back",
    EXCHANGES,
    "if (exchange.linesStart >= 0) plane.buffers.release(exchange.linesStart);",
    "",
  ),
  mutation(
    "a whole request's deadline outlives it",
    EXCHANGES,
    "if (plane.requestDeadlines !== null) plane.requestDeadlines.clear(connection);",
    "",
  ),
  mutation(
    "a rewritten target loses its query",
    "route/rewriting.ts",
    "this.#keepsQuery = this.#template === null ||",
    "this.#keepsQuery = this.#template !== null &&",
  ),
  mutation(
    "no last chunk",
    RESPONSES,
    "exchange.slotAt = writeLastChunk(this.#plane.memory, exchange.slotAt, exchange.firstChunk);",
    "",
  ),
  mutation(
    "an unanswered request is passed over",
    "session/local-answers.ts",
    "exchangeEnded(leg, keepAlive && isTold);",
    "exchangeEnded(leg, keepAlive || isTold);",
  ),
  mutation(
    "a held response loses what came behind its head",
    ORIGIN,
    "      ranges.unshift(leg.held, pos, end);",
    "      buffers.release(pos);",
  ),
  mutation(
    "a response that was held is never read again",
    ORIGIN,
    "    if (!leg.paused) port.resume(leg.connection);\n    standstill",
    "    standstill",
  ),
  mutation(
    "an edited head leaves its body behind",
    "session/head-edits.ts",
    "const allEnd = isRequest ? exchange.requestEnd : exchange.slotAt;",
    "const allEnd = isRequest ? exchange.requestHeadEnd : exchange.slotAt;",
  ),
  mutation(
    "a slot of an edited head is not given back",
    "session/head-edits.ts",
    "    buffers.release(start);\n    if (isRequest) {",
    "    if (isRequest) {",
  ),
  mutation(
    "a slot of a stage is not given back",
    "session/body-pump.ts",
    "      this.#origins.sendBody(exchange, from, start + bytes, false);\n      buffers.release(slot);",
    "      this.#origins.sendBody(exchange, from, start + bytes, false);",
  ),
  mutation(
    "a stage goes on for nobody",
    "session/interceptions.ts",
    "    if (responseSender !== null) responseSender.abort();\n",
    "",
  ),
  mutation(
    "a stage that has said enough is fed",
    "session/interceptions.ts",
    "    sender.isFull = true;\n    intercepted.mark();\n    return false;",
    "    sender.isFull = true;\n    intercepted.mark();\n    return true;",
  ),
  mutation(
    "a stage that was drained is not told",
    "session/body-sender.ts",
    "    this.#owesDrained = false;\n",
    "    this.#owesDrained = false;\n    if (this.stage !== null) return;\n",
  ),
  mutation(
    "an answer of a hook is a piece short",
    "session/body-pump.ts",
    "      intercepted.responseBodyBytes += bytes;\n",
    "      intercepted.responseBodyBytes += bytes;\n      if (bytes === 17) continue;\n",
  ),
  mutation(
    "what is over is not logged where it failed",
    EXCHANGES,
    "if (exchange.intercepted !== null) this.interceptions.over(exchange);",
    "if (exchange.intercepted !== null && !exchange.intercepted.hasFailed) this.interceptions.over(exchange);",
  ),
];

const parts = process.argv.slice(2);
let missed = 0;
for (const each of MUTATIONS) {
  if (parts.length > 0 && !parts.some((part) => each.name.includes(part))) continue;
  const verdict = verdictOn(each);
  if (!verdict.startsWith("seed")) missed++;
  console.log(`${each.name.padEnd(54)} ${verdict}`);
}
process.exitCode = missed === 0 ? 0 : 1;

/** The first seed that breaks a law, and which. */
function verdictOn({ file, from, to }: Mutation): string {
  const copy = mkdtempSync(path.join(tmpdir(), "hp-proxy-mutation-"));
  try {
    for (const folder of ["src", "test/sim", "test/route", "package.json"]) {
      cpSync(path.join(ROOT, folder), path.join(copy, folder), { recursive: true });
    }
    const text = readFileSync(path.join(copy, file), "utf8");
    if (!text.includes(from)) return "there is no such place";
    writeFileSync(
      path.join(copy, file),
      text.replaceAll(from, () => to),
    );
    const run = path.join(copy, "test/sim/seeds.ts");
    const child = spawnSync(process.execPath, [run, "--until-broken", "--seeds", String(SEEDS_MAX)], {
      encoding: "utf8",
    });
    if (child.status === 0) return `NOT FOUND in ${SEEDS_MAX} seeds`;
    return (child.stdout.trim() || child.stderr.trim()).split("\n")[0]!.slice(0, 120);
  } finally {
    rmSync(copy, { recursive: true });
  }
}
