/**
 * The grammar of chunk extensions (RFC 9112 §7.1.1), one byte at a time. They are read to the letter although
 * nothing is done with them: a reader that takes a quoted CR LF for data, or one that skips to the first LF,
 * would find the end of the line elsewhere.
 *
 *     chunk-ext     = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
 *     chunk-ext-val = token / quoted-string
 *
 * @hot
 */
import { FIELD_VALUE, TOKEN } from "../base/ascii.ts";

/** Behind `;`: where an extension begins. */
export const EXTENSION_START = 0;
const NAME = 1;
const NAME_END = 2;
const VALUE_START = 3;
const VALUE = 4;
const VALUE_END = 5;
const QUOTED = 6;
const ESCAPED = 7;
const QUOTE_END = 8;
/** No extension goes on like this. */
export const EXTENSION_BAD = -1;

const IS_TOKEN = TOKEN;
const IS_VALUE = FIELD_VALUE;
const SP = 0x20;
const HTAB = 0x09;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** Where `byte`, which is not CR, leads from `state`: another state, or `EXTENSION_BAD`. */
export function extensionStep(state: number, byte: number): number {
  switch (state) {
    case EXTENSION_START:
      return isSpace(byte) ? EXTENSION_START : tokenOr(byte, NAME);
    case NAME:
      if (byte === EQUALS) return VALUE_START;
      if (byte === SEMICOLON) return EXTENSION_START;
      return isSpace(byte) ? NAME_END : tokenOr(byte, NAME);
    case NAME_END:
      if (byte === EQUALS) return VALUE_START;
      return separator(byte, NAME_END);
    case VALUE_START:
      if (byte === QUOTE) return QUOTED;
      return isSpace(byte) ? VALUE_START : tokenOr(byte, VALUE);
    case VALUE:
      if (byte === SEMICOLON) return EXTENSION_START;
      return isSpace(byte) ? VALUE_END : tokenOr(byte, VALUE);
    case QUOTED:
      if (byte === QUOTE) return QUOTE_END;
      if (byte === BACKSLASH) return ESCAPED;
      return IS_VALUE[byte] !== 0 ? QUOTED : EXTENSION_BAD;
    case ESCAPED:
      return IS_VALUE[byte] !== 0 ? QUOTED : EXTENSION_BAD;
    default:
      return separator(byte, VALUE_END);
  }
}

/** Whether the line may end in `state`: behind a name, a value or a closing quote, and no whitespace. */
export function extensionMayEnd(state: number): boolean {
  return state === NAME || state === VALUE || state === QUOTE_END;
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

function tokenOr(byte: number, state: number): number {
  return IS_TOKEN[byte] !== 0 ? state : EXTENSION_BAD;
}

/** Whitespace leads to `spaceState`, `;` to the next extension. */
function separator(byte: number, spaceState: number): number {
  if (byte === SEMICOLON) return EXTENSION_START;
  return isSpace(byte) ? spaceState : EXTENSION_BAD;
}
