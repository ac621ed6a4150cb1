/** Heads of complete responses that the proxy gives itself. Rendered once, then only copied. */
import { asciiBytes } from "../base/bytes.ts";

/**
 * Status line and field lines of a response with a body of `bodyBytes`, without the empty line. `fields` are
 * whole lines without their CRLF, such as `Retry-After: 1` or `Connection: close`; ASCII only.
 */
export function renderAnswerLines(
  status: number,
  reason: string,
  contentType: string,
  bodyBytes: number,
  fields: readonly string[],
): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${bodyBytes}`,
    ...fields,
  ];
  return asciiBytes(`${lines.join("\r\n")}\r\n`);
}
