/** From what a hook returned to an answer on its way. */
import { LARGE_SLOT_BYTES } from "../base/buffer-pool.ts";
import type { Intercepted } from "../contract/interception.ts";
import { FRAMING_NAMES } from "../http1/framing-names.ts";
import type { HookAnswer, HookHeadersInput, HookResult } from "./hooks.ts";
import { bytesOf, copyOf } from "./web-stage.ts";
import { fieldName, fieldValue } from "./wire-text.ts";

/** The proxy writes these itself, or they are between two neighbours. */
const OURS = new Set([...FRAMING_NAMES, "date"]);

/** RFC 9110 §15.3.5, §15.3.6, §15.4.5: their content is not sent, so it has no type either. */
const EMPTY: readonly number[] = [204, 205, 304];

/** What is to be sent: checked, in bytes. */
export interface PreparedAnswer {
  readonly status: number;
  readonly lines: Uint8Array;
  /** Whole; null: it comes from `pieces`. */
  readonly body: Uint8Array | null;
  readonly pieces: AsyncIterator<unknown> | null;
}

/** They lie in one slot, with what is written around them. */
const LINES_BYTES_MAX = LARGE_SLOT_BYTES - 4096;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** Throws a TypeError where `result` is no answer. */
export function prepareAnswer(result: HookResult): PreparedAnswer {
  if (typeof result !== "object" || result === null) throw notAnswer();
  if (result instanceof Response) return preparedResponse(result);
  const { status, headers = {}, body } = result as HookAnswer;
  assertStatus(status);
  let lines = "";
  let hasType = false;
  for (const [name, value] of fieldsOf(headers)) {
    const lower = name.toLowerCase();
    if (OURS.has(lower)) throw new TypeError(`header field ${name} of an answer is the proxy's to write`);
    hasType ||= lower === "content-type";
    lines += line(name, value);
  }
  if (typeof body === "string" && body !== "" && !hasType && !EMPTY.includes(status))
    lines += line("content-type", "text/plain; charset=utf-8");
  const bytes = linesBytes(lines);
  if (body === undefined || body === null) return { status, lines: bytes, body: NOTHING, pieces: null };
  if (typeof body === "string" || body instanceof Uint8Array)
    return { status, lines: bytes, body: bytesOf(body), pieces: null };
  if (typeof body[Symbol.asyncIterator] !== "function")
    throw new TypeError(
      "the body of an answer is a string, a Uint8Array, a ReadableStream or an async iterable",
    );
  return { status, lines: bytes, body: null, pieces: piecesOf(body) };
}

/**
 * Of a `Response` from fetch the content comes decoded, while its fields tell of what was received: those
 * that would be wrong then are left out, like those that are about a connection.
 */
function preparedResponse(response: Response): PreparedAnswer {
  assertStatus(response.status);
  if (response.bodyUsed) throw new TypeError("the body of this Response was read already");
  const isFetched = response.url !== "";
  let lines = "";
  for (const [name, value] of response.headers) {
    if (OURS.has(name) || (isFetched && name === "content-encoding")) continue;
    lines += line(name, value);
  }
  const bytes = linesBytes(lines);
  const { body } = response;
  if (body === null) return { status: response.status, lines: bytes, body: NOTHING, pieces: null };
  return {
    status: response.status,
    lines: bytes,
    body: null,
    pieces: piecesOf(body as AsyncIterable<unknown>),
  };
}

/** Throws what their iterator throws: of a stream that somebody reads already, for one. */
function piecesOf(body: AsyncIterable<unknown>): AsyncIterator<unknown> {
  const iterator: unknown = body[Symbol.asyncIterator]();
  if (typeof iterator !== "object" || iterator === null || !("next" in iterator))
    throw new TypeError("the body of an answer gives no iterator");
  return iterator as AsyncIterator<unknown>;
}

function fieldsOf(headers: HookHeadersInput): (readonly [string, string])[] {
  if (Symbol.iterator in headers) return [...headers];
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "object"
      ? value.map((each) => [name, each] as const)
      : [[name, value as string] as const],
  );
}

function line(name: string, value: string): string {
  fieldName(name);
  return `${name}: ${fieldValue(name, value)}\r\n`;
}

function linesBytes(lines: string): Uint8Array {
  if (lines.length > LINES_BYTES_MAX)
    throw new TypeError(`the header fields of an answer are longer than ${LINES_BYTES_MAX} bytes`);
  return Buffer.from(lines, "latin1");
}

function assertStatus(status: unknown): void {
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599)
    throw new TypeError(`${String(status)} is not a status from 200 to 599`);
}

function notAnswer(): TypeError {
  return new TypeError("a hook returns nothing, {status, headers, body} or a Response");
}

/** Sends it. `failed` is told where its body fails on the way. */
export function sendAnswer(
  exchange: Intercepted,
  { status, lines, body, pieces }: PreparedAnswer,
  failed: (error: unknown) => void,
): void {
  const sink = exchange.answer(status, lines, body === null ? -1 : body.length);
  if (body !== null) {
    if (body.length > 0) sink.write(body);
    sink.end();
    return;
  }
  const iterator = pieces!;
  let isOver = false;
  let goOn: (() => void) | null = null;
  sink.onDrained = () => goOn?.();
  sink.onAborted = () => {
    isOver = true;
    goOn?.();
    void stop(iterator);
  };
  const pump = async () => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (isOver) return;
      if (done === true) break;
      if (!sink.write(copyOf(value)))
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      if (isOver) return;
    }
    sink.end();
  };
  pump().catch((error: unknown) => {
    if (isOver) return;
    failed(error);
    sink.fail("hook_threw");
  });
}

/** Nobody wants the rest: what the iterator says to that is nobody's concern either. */
async function stop(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {}
}

/** What is told of an error that a body was too large for. */
export function tooLargeAnswer(): PreparedAnswer {
  const lines = Buffer.from("content-type: text/plain; charset=utf-8\r\n", "latin1");
  return { status: 413, lines, body: encoder.encode("413 Content Too Large\n"), pieces: null };
}
