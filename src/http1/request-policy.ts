/**
 * Decisions about request heads as they go to a backend, and the fate of each field line that follows from
 * them.
 *
 * Why tables: what is done with a line depends on its `Field` alone (and, for a few, on one look at the head),
 * so options change a table when they are read, and cost nothing when a head is written.
 *
 * @hot
 */
import { asciiBytes, ConstantBytes, writeBytes } from "../base/bytes.ts";
import type { UnguessableIds } from "../base/unguessable-ids.ts";
import { FIELD_ID_COUNT, Field } from "./field-names.ts";
import { type FieldScanner, placedConstant } from "./field-scanner.ts";

/** What becomes of a field line. */
export const Fate = {
  /** Passes, unless Connection nominates it. */
  pass: 0,
  drop: 1,
  /** Dropped unless the policy upgrades. */
  dropUpgrade: 2,
  /** Dropped when another line takes its place. */
  dropHost: 3,
  dropLength: 4,
  /** Dropped when it was counted down: another line takes its place. */
  dropForwards: 5,
  passAlways: 6,
  /** Passes, nominated or not, unless its value is empty. */
  passFilled: 7,
  /** Dropped when it came in HTTP/1.0; passes otherwise, unless Connection nominates it. */
  dropOld: 8,
} as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

/**
 * Where a Via line names the minor version, which is that of the message as it was received (RFC 9110 §7.6.3):
 * the line is made for 1.1.
 */
export const VIA_MINOR_AT = "Via: 1.".length;

/** Options of request heads; `Policy` of a snapshot has them. */
export interface RequestOptions {
  /** Field names with `_` are passed on. */
  readonly underscoreNames: boolean;
  /** `Forwarded` is written (RFC 7239). */
  readonly forwarded: boolean;
  /** `generate`: always a new X-Request-Id. `keep`: a trusted peer's, or a new one. `off`: what comes. */
  readonly requestId: "off" | "keep" | "generate";
  /** Trailer passes, and `TE: trailers` is said to the backend where the client says it. */
  readonly trailers: boolean;
  /** `Connection: close` is said: no connection to a backend is kept (RFC 9112 §9.6). */
  readonly close: boolean;
}

const PLAIN: RequestOptions = {
  underscoreNames: false,
  forwarded: false,
  requestId: "off",
  trailers: false,
  close: false,
};

/** In a record that is reused: everything but `peer…`, `upgrade` and `trusted` stays as it is made. */
export class RequestPolicy {
  /** The client's address as text, in the same memory as the heads. */
  peerStart = 0;
  peerEnd = 0;
  /** Passes Upgrade on (the caller relays whatever follows 101). */
  upgrade = false;
  /** The client is a proxy that is believed: what it says of those before it is kept and added to. */
  trusted = false;
  /** Host for an HTTP/1.0 request that has none: the endpoint's own `host:port`. */
  hostFallback: Uint8Array;
  /** What stands in front of the client's address. */
  readonly forwardedFor: ConstantBytes;
  /** From behind the client's address to in front of the value of X-Forwarded-Host. */
  readonly middle: ConstantBytes;
  /** The parts of `middle`, each a whole line with CRLF. */
  readonly protoLine: ConstantBytes;
  readonly viaLine: ConstantBytes;
  /** `;proto=http` and CRLF: how an element of Forwarded ends. */
  readonly forwardedEnd: ConstantBytes;
  readonly options: RequestOptions;
  /** An option is on that adds to the lines which every request gets. */
  readonly addsLines: boolean;
  /** Source of X-Request-Id. */
  readonly ids: UnguessableIds | null;
  /** `Fate` by `Field`, for clients that are not trusted and for those that are. */
  readonly fates: Uint8Array;
  readonly trustedFates: Uint8Array;

  /**
   * `viaLine` is a whole line with CRLF (`Via: 1.1 name`), `scheme` is `http` or `https`; `ids` may be null
   * where no request id is asked for. The heads lie in the memory of `scanner`, where there is one.
   */
  constructor(
    viaLine: Uint8Array,
    scheme: Uint8Array,
    hostFallback: Uint8Array = new Uint8Array(0),
    options: RequestOptions = PLAIN,
    ids: UnguessableIds | null = null,
    scanner: FieldScanner | null = null,
  ) {
    this.hostFallback = hostFallback;
    this.forwardedFor = placedConstant(FORWARDED_FOR_BYTES, scanner);
    const protoLine = concat([asciiBytes("X-Forwarded-Proto: "), scheme, CRLF]);
    this.middle = placedConstant(concat([CRLF, protoLine, viaLine, FORWARDED_HOST_BYTES]), scanner);
    this.protoLine = new ConstantBytes(protoLine);
    this.viaLine = new ConstantBytes(viaLine);
    this.forwardedEnd = new ConstantBytes(concat([asciiBytes(";proto="), scheme, CRLF]));
    this.options = options;
    this.addsLines = options.forwarded || options.requestId !== "off" || options.trailers || options.close;
    this.ids = ids;
    this.fates = requestFates(options, false);
    this.trustedFates = requestFates(options, true);
  }
}

const CRLF = asciiBytes("\r\n");
const FORWARDED_FOR_BYTES = asciiBytes("X-Forwarded-For: ");
export const FORWARDED_HOST_BYTES = asciiBytes("X-Forwarded-Host: ");

/** Fields that belong to the connection they came on (RFC 9110 §7.6.1 and §11.7). */
const HOP_BY_HOP = [
  Field.connection,
  Field.keepAlive,
  Field.proxyConnection,
  Field.te,
  Field.trailer,
  Field.transferEncoding,
  Field.proxyAuthenticate,
  Field.proxyAuthorization,
  Field.proxyAuthenticationInfo,
];

/** `Fate` by `Field`, with what holds for every message; `drops` are dropped besides. */
function commonFates(drops: readonly Field[]): Uint8Array {
  const table = new Uint8Array(FIELD_ID_COUNT);
  for (const id of drops) table[id] = Fate.drop;
  table[Field.upgrade] = Fate.dropUpgrade;
  table[Field.host] = Fate.dropHost;
  table[Field.contentLength] = Fate.dropLength;
  table[Field.date] = Fate.passAlways;
  table[Field.via] = Fate.passAlways;
  return table;
}

/** `Fate` by `Field`, for requests. @cold */
function requestFates(options: RequestOptions, trusted: boolean): Uint8Array {
  // `Proxy` would become the variable HTTP_PROXY of a CGI program. X-Forwarded-For and Forwarded are written
  // anew even where what they say is kept.
  const table = commonFates([...HOP_BY_HOP, Field.proxy, Field.xForwardedFor, Field.forwarded]);
  table[Field.xForwardedProto] = trusted ? Fate.passFilled : Fate.drop;
  table[Field.xForwardedHost] = trusted ? Fate.passFilled : Fate.drop;
  table[Field.xForwardedOther] = trusted ? Fate.passAlways : Fate.drop;
  table[Field.underscoredForwarded] = options.underscoreNames && trusted ? Fate.passAlways : Fate.drop;
  table[Field.maxForwards] = Fate.dropForwards;
  // RFC 9110 §10.1.1: an HTTP/1.0 client does not wait for a 100, whatever it says.
  table[Field.expect] = Fate.dropOld;
  if (options.requestId !== "off") {
    table[Field.xRequestId] = options.requestId === "keep" && trusted ? Fate.passFilled : Fate.drop;
  }
  if (options.trailers) table[Field.trailer] = Fate.pass;
  if (!options.underscoreNames) table[Field.underscored] = Fate.drop;
  return table;
}

/** `Fate` by `Field`, for responses. */
export const RESPONSE_FATES = commonFates(HOP_BY_HOP);
/** The same where trailer fields are passed on. */
export const TRAILED_RESPONSE_FATES = commonFates(HOP_BY_HOP);
TRAILED_RESPONSE_FATES[Field.trailer] = Fate.pass;

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) at = writeBytes(bytes, at, part);
  return bytes;
}
