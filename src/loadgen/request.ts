/**
 * The bytes of one request, and the copies of it that lie ready in the buffer pool.
 *
 * Strategy: a request is written once and sent by reference. A slot holds as many copies as fit, one behind
 * the other, so that up to that many pipelined requests leave as one range. A request larger than a slot is
 * cut into segments. A slot counts its holders in 16 bits, so many connections share several sets of equal
 * slots.
 */
import { assert } from "../base/assert.ts";
import { LARGE_SLOT_BYTES } from "../base/buffer-pool.ts";
import type { Port } from "../contract/port.ts";
import { isConnectionClose, type LoadConfiguration } from "./options.ts";

const HOLDERS_MAX = 65_535;

type RequestParts = Pick<LoadConfiguration, "target" | "method" | "fields" | "body">;

/** One request, head and body (RFC 9112 §3). */
export function requestBytes(parts: RequestParts): Uint8Array {
  const { target, method, fields, body } = parts;
  const named = (wanted: string) => fields.some(([name]) => name.toLowerCase() === wanted);
  const lines = [`${method} ${target.requestTarget} HTTP/1.1`];
  if (!named("host")) lines.push(`Host: ${target.authority}`);
  for (const [name, value] of fields) lines.push(`${name}: ${value}`);
  // A body of no bytes is announced where the method expects one (RFC 9110 §8.6).
  if (body.length > 0 || /^(POST|PUT|PATCH)$/.test(method)) lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}

/** Whether every response is the last one of its connection because the request asks for it. */
export function requestCloses(fields: LoadConfiguration["fields"]): boolean {
  return fields.some(([name, value]) => isConnectionClose(name, value));
}

/** Slots that `RequestSlots` takes from the pool. */
export function requestSlotCount(requestLength: number, connectionsMax: number, pipeline: number): number {
  return setCount(connectionsMax, pipeline) * segmentCount(requestLength);
}

/** Requests in pool memory. The slots are held until the engine stops. */
export class RequestSlots {
  readonly #port: Port;
  readonly #requestLength: number;
  readonly #segmentCount: number;
  /** Copies in each slot; 1 where a request has several segments. */
  readonly #copies: number;
  readonly #sets: number;
  /** First byte of segment `i` of set `s` at `s * segmentCount + i`. */
  readonly #starts: Int32Array;
  readonly #lastSegmentLength: number;

  /** Takes `requestSlotCount` large slots of the port's pool and fills them. */
  constructor(port: Port, request: Uint8Array, pipeline: number) {
    this.#port = port;
    this.#requestLength = request.length;
    this.#segmentCount = segmentCount(request.length);
    this.#sets = setCount(port.connectionsMax, pipeline);
    this.#copies =
      this.#segmentCount > 1 ? 1 : Math.min(pipeline, Math.floor(LARGE_SLOT_BYTES / request.length));
    this.#starts = new Int32Array(this.#sets * this.#segmentCount);
    this.#lastSegmentLength = request.length - (this.#segmentCount - 1) * LARGE_SLOT_BYTES;
    const memory = port.buffers.memory;
    for (let i = 0; i < this.#starts.length; i++) {
      const start = port.buffers.acquireLarge();
      assert(start >= 0, "the pool was made with room for the requests");
      this.#starts[i] = start;
      const from = (i % this.#segmentCount) * LARGE_SLOT_BYTES;
      const segment = request.subarray(from, from + LARGE_SLOT_BYTES);
      for (let copy = 0; copy < this.#copies; copy++) memory.set(segment, start + copy * segment.length);
    }
  }

  /** Sends `count` requests on `connection`, in as few ranges as possible. */
  send(connection: number, count: number): void {
    const first = (connection % this.#sets) * this.#segmentCount;
    if (this.#segmentCount > 1) {
      for (let i = 0; i < count; i++) this.#sendSegments(connection, first);
      return;
    }
    const start = this.#starts[first]!;
    for (let left = count; left > 0; ) {
      const together = Math.min(left, this.#copies);
      this.#port.buffers.retain(start);
      this.#port.send(connection, start, start + together * this.#requestLength);
      left -= together;
    }
  }

  #sendSegments(connection: number, first: number): void {
    for (let i = 0; i < this.#segmentCount; i++) {
      const start = this.#starts[first + i]!;
      this.#port.buffers.retain(start);
      const length = i === this.#segmentCount - 1 ? this.#lastSegmentLength : LARGE_SLOT_BYTES;
      this.#port.send(connection, start, start + length);
    }
  }
}

function segmentCount(requestLength: number): number {
  return Math.ceil(requestLength / LARGE_SLOT_BYTES);
}

/** A connection holds a slot at most once per request in flight, and the slot itself is held once by us. */
function setCount(connectionsMax: number, pipeline: number): number {
  return Math.ceil((connectionsMax * pipeline) / (HOLDERS_MAX - 1 - pipeline));
}
