/**
 * Renders a request as it goes to a backend, into a slot of its own, where it stays until it need not be
 * repeated any more.
 *
 * @hot
 */
import { asciiBytes, copy } from "../base/bytes.ts";
import { UnguessableIds } from "../base/unguessable-ids.ts";
import type { Snapshot } from "../contract/snapshot.ts";
import type { FieldScanner } from "../http1/field-scanner.ts";
import { Framing } from "../http1/framing.ts";
import { NO_ROOM, writeRequestHead } from "../http1/head-writer.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { RequestPolicy } from "../http1/request-policy.ts";
import type { Exchange } from "./exchange.ts";
import { type Failure, Failures } from "./failure.ts";
import type { Plane } from "./plane.ts";

const NONE = Framing.none;
const LENGTH = Framing.length;
const HTTP = asciiBytes("http");
/**
 * For an HTTP/1.0 request without Host: RFC 9112 §3.2 wants the field, and an empty value where the authority
 * is not known.
 */
const UNKNOWN_HOST = new Uint8Array(0);

export class RequestWriter {
  /** Why `render` returned `false`. */
  failure: Failure = Failures.overload;
  readonly #plane: Plane;
  readonly #ids: UnguessableIds;
  #policy: RequestPolicy;

  /** `seed`: `SEED_BYTES` bytes of chance, for request ids. */
  constructor(plane: Plane, seed: Uint8Array) {
    this.#plane = plane;
    this.#ids = new UnguessableIds(seed);
    this.#policy = policyOf(plane.snapshot, this.#ids, plane.scanner);
  }

  /** Heads from now on are written as `snapshot` wants them. @cold */
  use(snapshot: Snapshot): void {
    this.#policy = policyOf(snapshot, this.#ids, this.#plane.scanner);
  }

  /** Writes the head and leaves its range, with one reference, in the exchange. `false`: with `failure`. */
  render(exchange: Exchange, head: MessageHead): boolean {
    const { buffers, memory, view } = this.#plane;
    const policy = this.#policy;
    const client = exchange.client!;
    this.failure = Failures.overload;
    if (client.peerStart < 0) return false;
    policy.peerStart = client.peerStart;
    policy.peerEnd = client.peerEnd;
    policy.trusted = client.trusted;
    policy.upgrade = exchange.upgrade;
    let slot = buffers.acquireSmall();
    let end = NO_ROOM;
    if (slot >= 0) end = writeRequestHead(memory, view, slot, buffers.slotEnd(slot), head, policy);
    if (end === NO_ROOM) {
      if (slot >= 0) buffers.release(slot);
      slot = buffers.acquireLarge();
      if (slot < 0) return false;
      end = writeRequestHead(memory, view, slot, buffers.slotEnd(slot), head, policy);
      if (end === NO_ROOM) {
        buffers.release(slot);
        this.failure = Failures.editedHeadTooLarge;
        return false;
      }
    }
    exchange.requestStart = slot;
    exchange.requestEnd = end;
    return true;
  }

  /**
   * Copies a body that is here whole and small behind its head: one range to send, and to send again. Returns
   * up to where `[pos, end)`, which follows the head as received, was used.
   */
  takeBody(exchange: Exchange, framing: number, contentLength: number, pos: number, end: number): number {
    exchange.wholeInSlot = framing === NONE;
    if (framing !== LENGTH || contentLength > end - pos) return pos;
    const { buffers, view, memory } = this.#plane;
    if (exchange.requestEnd + contentLength > buffers.slotEnd(exchange.requestStart)) return pos;
    copy(view, memory, pos, pos + contentLength, exchange.requestEnd);
    exchange.requestEnd += contentLength;
    exchange.wholeInSlot = true;
    return pos + contentLength;
  }
}

function policyOf(
  { policy, limits, viaName }: Snapshot,
  ids: UnguessableIds,
  scanner: FieldScanner | null,
): RequestPolicy {
  const options = {
    underscoreNames: policy.underscoreNames === "pass",
    forwarded: policy.forwarded,
    requestId: policy.requestId,
    trailers: policy.trailers === "pass",
    close: limits.poolSizePerEndpoint === 0,
  };
  const via = asciiBytes(`Via: 1.1 ${viaName}\r\n`);
  const source = policy.requestId === "off" ? null : ids;
  return new RequestPolicy(via, HTTP, UNKNOWN_HOST, options, source, scanner);
}
