/**
 * What a parser found in the head of one message: offsets into the memory it was parsed in, and small
 * integers.
 *
 * One record is reused for every message of its owner; a parse overwrites all of it. Offsets stay valid as
 * long as the bytes lie where they were. Absent is -1. The field lines of a head are contiguous: line `i` is
 * `[nameStart(i), nameStart(i + 1))`, and the last one ends where the empty line begins, at `end - 2`.
 *
 * @hot
 */
import type { FieldScanner } from "./field-scanner.ts";

/** Returned while a message is incomplete: call again with the same start and a larger end. */
export const NEED_MORE = -1;

/** Methods that are told apart; any other token is `other`. */
export const Method = {
  other: 0,
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  OPTIONS: 6,
  PATCH: 7,
  TRACE: 8,
  CONNECT: 9,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

/** Forms of a request target (RFC 9112 §3.2). */
export const TargetForm = { origin: 0, absolute: 1, authority: 2, asterisk: 3 } as const;
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm];

/** What Transfer-Encoding says: nothing, exactly `chunked`, or anything else. */
export const TransferCoding = { none: 0, chunked: 1, other: 2 } as const;
export type TransferCoding = (typeof TransferCoding)[keyof typeof TransferCoding];

/**
 * Bits of `connectionOptions` (RFC 9110 §7.6.1). `nominated`: it names a field that is not hop-by-hop anyway.
 */
export const ConnectionOption = { close: 1, keepAlive: 2, upgrade: 4, nominated: 8 } as const;

/**
 * Bits of `notes`: what rare fields say, in a line whose value is not empty. `acceptsTrailers`: TE names
 * `trailers` (RFC 9110 §10.1.4). `underscoredName`: a name has `_`, whatever its value. `secureTarget`:
 * the target is an https URI.
 */
export const HeadNote = {
  underscoredName: 1,
  via: 2,
  acceptsTrailers: 4,
  requestId: 8,
  forwarded: 16,
  xForwardedFor: 32,
  xForwardedProto: 64,
  xForwardedHost: 128,
  secureTarget: 256,
} as const;

/** Fields that Connection may name in one head: each field of such a head is compared with each of them. */
const NOMINATION_COUNT_MAX = 32;

/** Numbers of a field within `fields`. */
export const FIELD_STRIDE = 4;

export class MessageHead {
  /** The whole head with its empty line; an empty line that was skipped before it is outside. */
  start = 0;
  end = 0;
  /** A `Method`. */
  method = 0;
  methodStart = -1;
  methodEnd = -1;
  targetStart = -1;
  targetEnd = -1;
  /** A `TargetForm`. */
  targetForm = 0;
  /**
   * Where path and query begin: `targetStart` in origin-form; in absolute-form the `/` or `?` behind the
   * authority, or -1 where there is neither; -1 in the other forms.
   */
  pathStart = -1;
  /** Authority inside an absolute-form target, or the whole authority-form target. */
  authorityStart = -1;
  authorityEnd = -1;
  /** 0 or 1, of HTTP/1.x. */
  versionMinor = 1;
  /** Status code of a response; 0 in a request. */
  status = 0;
  reasonStart = -1;
  reasonEnd = -1;

  fieldCount = 0;
  /** nameStart, nameEnd, valueStart, valueEnd of each field line; whitespace around the value is outside. */
  readonly fields: Int32Array;
  /** A `Field` of each line, 0 for names that are not known. */
  readonly fieldIds: Uint8Array;

  /** Line of the Host field. */
  hostIndex = -1;
  /** Value of a single valid Content-Length. */
  contentLength = -1;
  /** A `TransferCoding`. */
  transferCoding = 0;
  /** What `framing.ts` has to refuse: a `Fault`, or 0. */
  framingFault = 0;
  /** `ConnectionOption` bits of all Connection fields. */
  connectionOptions = 0;
  /** Options of Connection that name a field which would pass otherwise: `nominationCount` of them. */
  nominationCount = 0;
  /** Start and end of each. */
  readonly nominations = new Int32Array(NOMINATION_COUNT_MAX * 2);
  /** First line of the Upgrade field. */
  upgradeIndex = -1;
  /** An Upgrade field names HTTP/2 or later: the tunnel would carry requests past every rule of the proxy. */
  upgradesToHttp2 = false;
  /** Expect is `100-continue`. */
  expectContinue = false;
  /** Content-Type is `text/event-stream`. */
  eventStream = false;
  /** Line of the Date field. */
  dateIndex = -1;
  /** `HeadNote` bits. */
  notes = 0;
  /** Max-Forwards of an OPTIONS or TRACE (RFC 9110 §7.6.2), at most 2^30; -1: there is none. */
  maxForwards = -1;

  /** Finds the lines of heads in its memory; null: none does, or it has no room for more. */
  readonly scanner: FieldScanner | null;
  /** Where the scanner has to write `fields` and `fieldIds`. */
  readonly fieldsAt: number;
  readonly fieldIdsAt: number;

  /** Takes heads of up to `fieldCountMax` fields, whatever limit a parser is given beside it. */
  constructor(fieldCountMax = 128, scanner: FieldScanner | null = null) {
    const table = scanner === null ? null : scanner.table(fieldCountMax);
    this.scanner = table === null ? null : scanner;
    this.fields = table?.fields ?? new Int32Array(fieldCountMax * FIELD_STRIDE);
    this.fieldIds = table?.fieldIds ?? new Uint8Array(fieldCountMax);
    this.fieldsAt = table?.fieldsAt ?? 0;
    this.fieldIdsAt = table?.fieldIdsAt ?? 0;
  }

  /** Forgets everything. `start` is where the head begins. */
  reset(start: number): void {
    this.start = start;
    this.end = start;
    this.method = 0;
    this.methodStart = -1;
    this.methodEnd = -1;
    this.targetStart = -1;
    this.targetEnd = -1;
    this.targetForm = 0;
    this.pathStart = -1;
    this.authorityStart = -1;
    this.authorityEnd = -1;
    this.versionMinor = 1;
    this.status = 0;
    this.reasonStart = -1;
    this.reasonEnd = -1;
    this.fieldCount = 0;
    this.hostIndex = -1;
    this.contentLength = -1;
    this.transferCoding = 0;
    this.framingFault = 0;
    this.connectionOptions = 0;
    this.nominationCount = 0;
    this.upgradeIndex = -1;
    this.upgradesToHttp2 = false;
    this.expectContinue = false;
    this.eventStream = false;
    this.dateIndex = -1;
    this.notes = 0;
    this.maxForwards = -1;
  }
}

const CLOSE = ConnectionOption.close;
const KEEP_ALIVE = ConnectionOption.keepAlive;
const UPGRADE = ConnectionOption.upgrade;
const NOMINATED = ConnectionOption.nominated;

/** Whether the sender of this head lets the connection live on after the message (RFC 9112 §9.3). */
export function persists(head: MessageHead): boolean {
  if ((head.connectionOptions & CLOSE) !== 0) return false;
  return head.versionMinor === 1 || (head.connectionOptions & KEEP_ALIVE) !== 0;
}

/**
 * Whether an Upgrade is asked for (request) or granted (101): the field and its option, not in HTTP/1.0 (RFC
 * 9110 §7.8), and not to HTTP/2, which would carry on speaking HTTP where nobody reads it.
 */
export function upgrades(head: MessageHead): boolean {
  if (head.upgradeIndex < 0 || head.versionMinor === 0 || head.upgradesToHttp2) return false;
  return (head.connectionOptions & UPGRADE) !== 0;
}

/** Whether Connection names a field that would pass otherwise (RFC 9110 §7.6.1). */
export function nominatesFields(head: MessageHead): boolean {
  return (head.connectionOptions & NOMINATED) !== 0;
}
