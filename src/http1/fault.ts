/**
 * What can be wrong with an HTTP/1.1 message, as negative integers on the way and one table at the end. (-1
 * is `NEED_MORE`, which is no fault.)
 *
 * `status` is what a client is told about its request. A response with a fault is always answered with 502 to
 * the client, whatever its row says: the client is not to blame.
 */

export const Fault = {
  badRequestLine: -2,
  badMethod: -3,
  targetTooLong: -4,
  badTarget: -5,
  versionNotSupported: -6,
  badFieldName: -7,
  badFieldValue: -8,
  obsFold: -9,
  spaceBeforeColon: -10,
  bareCr: -11,
  bareLf: -12,
  tooManyFields: -13,
  headTooLarge: -14,
  missingHost: -15,
  duplicateHost: -16,
  badHost: -17,
  badContentLength: -18,
  duplicateContentLength: -19,
  contentLengthWithTransferEncoding: -20,
  badTransferEncoding: -21,
  unsupportedTransferCoding: -22,
  transferEncodingInHttp10: -23,
  badChunkSize: -24,
  chunkSizeOverflow: -25,
  badChunkExtension: -26,
  chunkExtensionTooLong: -27,
  badChunkEnd: -28,
  badTrailer: -29,
  trailerTooLarge: -30,
  badStatusLine: -31,
  badMaxForwards: -32,
  bodyTooLarge: -33,
  contentInInterim: -34,
  tooManyConnectionOptions: -35,
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];

export interface FaultRow {
  /** Stable word for logs and counters. */
  readonly name: string;
  /** Answer to the client whose request has this fault. */
  readonly status: number;
  /** The rule that was broken. */
  readonly rfc: string;
  /** One sentence for the body of that answer. */
  readonly text: string;
}

function row(name: string, status: number, rfc: string, text: string): FaultRow {
  return { name, status, rfc, text };
}

export const FAULTS: Readonly<Record<Fault, FaultRow>> = {
  [Fault.badRequestLine]: row("bad_request_line", 400, "9112 §3", "The request line is malformed."),
  [Fault.badMethod]: row("bad_method", 400, "9112 §3.1", "The method is not a token of at most 64 bytes."),
  [Fault.targetTooLong]: row("target_too_long", 414, "9110 §15.5.15", "The request target is too long."),
  [Fault.badTarget]: row("bad_target", 400, "9112 §3.2", "The request target is malformed."),
  [Fault.versionNotSupported]: row(
    "version_not_supported",
    505,
    "9112 §2.3",
    "Only HTTP/1.1 and HTTP/1.0 are supported here.",
  ),
  [Fault.badFieldName]: row("bad_field_name", 400, "9112 §5", "A header field name is malformed."),
  [Fault.badFieldValue]: row(
    "bad_field_value",
    400,
    "9110 §5.5",
    "A header field value contains a forbidden byte.",
  ),
  [Fault.obsFold]: row("obs_fold", 400, "9112 §5.2", "A header field is folded over several lines."),
  [Fault.spaceBeforeColon]: row(
    "space_before_colon",
    400,
    "9112 §5.1",
    "There is whitespace between a header field name and its colon.",
  ),
  [Fault.bareCr]: row("bare_cr", 400, "9112 §2.2", "A carriage return is not followed by a line feed."),
  [Fault.bareLf]: row("bare_lf", 400, "9112 §2.2", "A line ends without a carriage return."),
  [Fault.tooManyFields]: row("too_many_fields", 431, "6585 §5", "The message has too many header fields."),
  [Fault.headTooLarge]: row("head_too_large", 431, "6585 §5", "The message head is too large."),
  [Fault.missingHost]: row("missing_host", 400, "9112 §3.2", "The Host header field is missing."),
  [Fault.duplicateHost]: row("duplicate_host", 400, "9112 §3.2", "There is more than one Host header field."),
  [Fault.badHost]: row(
    "bad_host",
    400,
    "9112 §3.2",
    "The Host header field is not a valid host of at most 1,024 bytes.",
  ),
  [Fault.badContentLength]: row(
    "bad_content_length",
    400,
    "9110 §8.6",
    "The Content-Length header field is not one whole number below 2^53 without leading zeros.",
  ),
  [Fault.duplicateContentLength]: row(
    "duplicate_content_length",
    400,
    "9112 §6.3",
    "There is more than one Content-Length header field.",
  ),
  [Fault.contentLengthWithTransferEncoding]: row(
    "content_length_with_transfer_encoding",
    400,
    "9112 §6.1",
    "Both Content-Length and Transfer-Encoding are present.",
  ),
  [Fault.badTransferEncoding]: row(
    "bad_transfer_encoding",
    400,
    "9112 §6.3",
    "Transfer-Encoding does not end in one chunked coding.",
  ),
  [Fault.unsupportedTransferCoding]: row(
    "unsupported_transfer_coding",
    501,
    "9112 §6.1",
    "No transfer coding other than chunked is supported here.",
  ),
  [Fault.transferEncodingInHttp10]: row(
    "transfer_encoding_in_http_1_0",
    400,
    "9112 §6.1",
    "Transfer-Encoding is not allowed in an HTTP/1.0 message.",
  ),
  [Fault.badChunkSize]: row("bad_chunk_size", 400, "9112 §7.1", "A chunk size is malformed."),
  [Fault.chunkSizeOverflow]: row("chunk_size_overflow", 400, "9112 §7.1", "A chunk size is too large."),
  [Fault.badChunkExtension]: row(
    "bad_chunk_extension",
    400,
    "9112 §7.1.1",
    "A chunk extension is malformed.",
  ),
  [Fault.chunkExtensionTooLong]: row(
    "chunk_extension_too_long",
    400,
    "9112 §7.1.1",
    "The chunk extensions are too long.",
  ),
  [Fault.badChunkEnd]: row("bad_chunk_end", 400, "9112 §7.1", "A chunk is longer than its size says."),
  [Fault.badTrailer]: row("bad_trailer", 400, "9112 §7.1.2", "A trailer field is malformed."),
  [Fault.trailerTooLarge]: row("trailer_too_large", 431, "6585 §5", "The trailer section is too large."),
  [Fault.badStatusLine]: row(
    "bad_status_line",
    502,
    "9112 §4",
    "The status line of the response is malformed.",
  ),
  [Fault.badMaxForwards]: row(
    "bad_max_forwards",
    400,
    "9110 §7.6.2",
    "The Max-Forwards header field is not one whole number.",
  ),
  [Fault.tooManyConnectionOptions]: row(
    "too_many_connection_options",
    400,
    "9110 §7.6.1",
    "The Connection header field names too many fields.",
  ),
  [Fault.bodyTooLarge]: row(
    "request_body_too_large",
    413,
    "9110 §15.5.14",
    "The request body is larger than this proxy allows.",
  ),
  [Fault.contentInInterim]: row(
    "content_in_interim_response",
    502,
    "9110 §15.2",
    "An interim response announces content, which it cannot have.",
  ),
};
