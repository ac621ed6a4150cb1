/** What this project's own parsers read from a stream, put together the way a session does. */
import { asciiBytes, textOf, viewOf } from "../../src/base/bytes.ts";
import { BodyMode, BodyReader } from "../../src/http1/body.ts";
import { FAULTS, type Fault } from "../../src/http1/fault.ts";
import { Framing, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import { MessageHead, Method, NEED_MORE, persists, upgrades } from "../../src/http1/message-head.ts";
import { parseRequestHead } from "../../src/http1/request-head.ts";
import { parseResponseHead } from "../../src/http1/response-head.ts";
import type { Reading, Seen } from "./reading.ts";

const LIMITS = { headBytesMax: 32_768, targetBytesMax: 8192, fieldCountMax: 128 };
const HEADROOM = 1024;

/** Reads requests until one is refused, is the last of its connection, or is not complete. */
export function requestsByUs(stream: string): Reading {
  return new Reader(stream).requests();
}

/** Reads responses to requests with these methods, up to the end of the connection. */
export function responsesByUs(stream: string, methods: readonly string[]): Reading {
  return new Reader(stream).responses(methods);
}

class Reader {
  readonly #memory: Uint8Array;
  readonly #end: number;
  readonly #head = new MessageHead(LIMITS.fieldCountMax);
  readonly #body = new BodyReader();
  readonly #messages: Seen[] = [];
  #pos = HEADROOM;

  constructor(stream: string) {
    this.#memory = new Uint8Array(HEADROOM + stream.length);
    this.#memory.set(asciiBytes(stream), HEADROOM);
    this.#end = this.#memory.length;
  }

  requests(): Reading {
    while (this.#pos < this.#end) {
      const pos = parseRequestHead(this.#memory, this.#pos, this.#end, this.#head, LIMITS);
      if (pos === NEED_MORE) break;
      const framing = pos < 0 ? pos : requestFraming(this.#head);
      if (framing < 0) return this.#reading(framing);
      this.#pos = pos;
      const seen = this.#note(upgrades(this.#head) || this.#head.method === Method.CONNECT);
      const fault = this.#readBody(seen, framing);
      if (fault < 0) return this.#reading(fault);
      if (!seen.complete || !seen.persists || seen.upgrade) break;
    }
    return this.#reading(0);
  }

  responses(methods: readonly string[]): Reading {
    for (let answered = 0; this.#pos < this.#end; ) {
      const pos = parseResponseHead(this.#memory, this.#pos, this.#end, this.#head, LIMITS);
      if (pos === NEED_MORE) break;
      const method = Method[(methods[answered] ?? "GET") as keyof typeof Method];
      const isInterim = this.#head.status < 200;
      // Whatever an interim response says of a body, it has none, and it does not end the connection.
      const framing = pos < 0 ? pos : isInterim ? Framing.none : responseFraming(this.#head, method);
      if (framing < 0) return this.#reading(framing);
      this.#pos = pos;
      const seen = this.#note(this.#head.status === 101);
      if (isInterim) seen.persists = true;
      else answered++;
      const fault = this.#readBody(seen, framing);
      if (fault < 0) return this.#reading(fault);
      if (framing === Framing.untilClose) {
        seen.complete = this.#body.finish();
        seen.persists = false;
      }
      if (!seen.complete || !seen.persists || seen.upgrade) break;
    }
    return this.#reading(0);
  }

  #reading(fault: number): Reading {
    return { messages: this.#messages, fault: fault < 0 ? FAULTS[fault as Fault].name : "" };
  }

  #note(upgrade: boolean): Seen {
    const head = this.#head;
    const text = (start: number, end: number) => textOf(this.#memory, start, end);
    const fields: [string, string][] = [];
    for (let i = 0; i < head.fieldCount; i++) {
      const [nameStart, nameEnd, valueStart, valueEnd] = head.fields.subarray(i * 4, i * 4 + 4);
      fields.push([text(nameStart!, nameEnd!), text(valueStart!, valueEnd!)]);
    }
    const isRequest = head.status === 0;
    const seen: Seen = {
      method: isRequest ? text(head.methodStart, head.methodEnd) : "",
      status: head.status,
      target: isRequest ? text(head.targetStart, head.targetEnd) : "",
      version: `1.${head.versionMinor}`,
      fields,
      raw: text(head.start, head.end),
      rawBody: "",
      body: "",
      complete: false,
      persists: persists(head),
      upgrade,
    };
    this.#messages.push(seen);
    return seen;
  }

  /** Returns 0 or a fault. */
  #readBody(seen: Seen, framing: number): number {
    const body = this.#body;
    const start = this.#pos;
    const raw = textOf(this.#memory, start, this.#end);
    body.begin(framing, this.#head.contentLength, BodyMode.payload);
    while (!body.done && this.#pos < this.#end) {
      const pos = body.feed(this.#memory, viewOf(this.#memory), this.#pos, this.#end);
      if (pos < 0) return pos;
      seen.body += textOf(this.#memory, body.outStart, body.outEnd);
      this.#pos = pos;
    }
    seen.rawBody = raw.slice(0, this.#pos - start);
    seen.complete = body.done;
    return 0;
  }
}
