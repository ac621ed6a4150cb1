/**
 * The parts of a request that routes are about, as ranges of the memory its head was parsed in. One record is
 * used for every request of its owner.
 *
 * @hot
 */
import { type MessageHead, Method, TargetForm } from "../http1/message-head.ts";

const ABSOLUTE = TargetForm.absolute;
const OPTIONS_METHOD = Method.OPTIONS;
const COLON = 0x3a;
const DOT = 0x2e;
const SLASH = 0x2f;
const QUESTION = 0x3f;

export class RequestView {
  /** Without port and without a dot at its end; empty where the request names none. */
  hostStart = 0;
  hostEnd = 0;
  /** With the port, as it is named. */
  authorityStart = 0;
  authorityEnd = 0;
  /** Up to the `?`; begins with `/`. -1: the target has no path (`*`, or the authority of a CONNECT). */
  pathStart = -1;
  pathEnd = -1;
  /** With its `?`; empty where there is none. */
  queryStart = 0;
  queryEnd = 0;

  /** Finds the parts of the request with `head`, which was parsed in `memory`. */
  read(memory: Uint8Array, head: MessageHead): void {
    this.#readHost(memory, head);
    if (head.pathStart >= 0 && memory[head.pathStart] === SLASH) {
      let pos = head.pathStart;
      const end = head.targetEnd;
      while (pos < end && memory[pos] !== QUESTION) pos++;
      this.pathStart = head.pathStart;
      this.pathEnd = pos;
      this.queryStart = pos;
      this.queryEnd = end;
      return;
    }
    this.queryStart = head.pathStart >= 0 ? head.pathStart : head.targetEnd;
    this.queryEnd = head.targetEnd;
    // An absolute-form target without a path means `/` (RFC 9112 §3.2.1), which stands in front of its authority;
    // with OPTIONS it means `*` (§3.2.4).
    const isRoot = head.targetForm === ABSOLUTE && (head.pathStart >= 0 || head.method !== OPTIONS_METHOD);
    this.pathStart = isRoot ? head.authorityStart - 1 : -1;
    this.pathEnd = isRoot ? head.authorityStart : -1;
  }

  #readHost(memory: Uint8Array, head: MessageHead): void {
    let start = head.authorityStart;
    let end = head.authorityEnd;
    if (start < 0) {
      const at = head.hostIndex << 2;
      start = head.hostIndex < 0 ? 0 : head.fields[at + 2]!;
      end = head.hostIndex < 0 ? 0 : head.fields[at + 3]!;
    }
    this.authorityStart = start;
    this.authorityEnd = end;
    let pos = end;
    while (pos > start && memory[pos - 1]! >= 0x30 && memory[pos - 1]! <= 0x39) pos--;
    if (pos > start && memory[pos - 1] === COLON) end = pos - 1;
    if (end - start > 1 && memory[end - 1] === DOT) end--;
    this.hostStart = start;
    this.hostEnd = end;
  }
}
