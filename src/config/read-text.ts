/** Text files as editors write them. */
import { readFileSync } from "node:fs";

/**
 * The text of `file` in UTF-8, without the byte order mark that some editors begin it with (RFC 8259 §8.1 allows to
 * skip it). Throws what `readFileSync` throws.
 */
export function readText(file: string): string {
  const text = readFileSync(file, "utf8");
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** Whether `file` begins as UTF-16 does. Throws what `readFileSync` throws. */
export function isUtf16(file: string): boolean {
  const [first, second] = readFileSync(file);
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}
