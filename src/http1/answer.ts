/** Complete responses that the proxy gives itself. Rendered at set-up, then only copied. */
import { asciiBytes } from "../base/bytes.ts";

/**
 * The bytes of a response with `text` as its body, ASCII only. `fields` are whole lines without their CRLF,
 * such as `Retry-After: 1` or `Connection: close`.
 */
export function renderAnswer(
  status: number,
  reason: string,
  text: string,
  fields: readonly string[] = [],
): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${text.length}`,
    ...fields,
  ];
  return asciiBytes(`${lines.join("\r\n")}\r\n\r\n${text}`);
}
