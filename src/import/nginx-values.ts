/** Reads the values of nginx's directives. Each reader returns undefined for what it cannot read. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  "": 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `60`, `60s`, `1h30m`, `500ms` as milliseconds. */
export function readTimeMs(text: string): number | undefined {
  if (text === "" || !/^(?:\d{1,9}(?:ms|[smhdwMy]) ?)*(?:\d{1,9})?$/.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwMy])?/g))
    ms += Number(count) * UNIT_MS[unit ?? ""]!;
  return ms;
}

const UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 2 ** 20, g: 2 ** 30 };

/** `4096`, `8k`, `1m` as bytes. */
export function readSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,12})([kmg]?)$/i.exec(text);
  return match === null ? undefined : Number(match[1]) * UNIT_BYTES[match[2]!.toLowerCase()]!;
}

const BARE = /[A-Za-z0-9/\-_~%!@&=+,;"]/;

/** A text of nginx as a regular expression that matches it alone. */
export function literalRegex(text: string): string {
  return [...text].map((char) => (BARE.test(char) ? char : `\\${char}`)).join("");
}

/** A decoded path as clients send it: what cannot stand in one becomes `%XX`. */
export function encodedPath(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      const isPlain = byte > 0x20 && byte < 0x7f && char !== "#" && char !== "?" && char !== "%";
      return isPlain ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

/**
 * A regular expression of nginx, which looks for a match anywhere, as one that is about the whole path.
 * What the result cannot say (an anchor within, lookaround) is for the reader of routes to refuse.
 */
export function wholeRegex(source: string, foldsCase: boolean): string {
  let rest = source;
  let folds = foldsCase;
  if (rest.startsWith("(?i)")) {
    rest = rest.slice(4);
    folds = true;
  }
  const hasGroups = /\((?!\?:)/.test(rest.replaceAll(/\\./g, ""));
  const choices = alternatives(rest).map((choice) => wholeChoice(choice, hasGroups));
  return `${folds ? "(?i)" : ""}${choices.join("|")}`;
}

/** The first place where it matches is the one whose groups count. */
function wholeChoice(choice: string, hasGroups: boolean): string {
  const start = choice.startsWith("^");
  let body = start ? choice.slice(1) : choice;
  let end = false;
  if (/\((?:\?:)?(?:\/\|\$|\$\|\/)\)$/.test(body)) {
    body = body.replace(/\((\?:)?[^()]*\)$/, (_whole, quiet?: string) => `(${quiet ?? ""}/.*)?`);
    end = true;
  } else if (/(?:^|[^\\])(?:\\\\)*\$$/.test(body)) {
    body = body.slice(0, -1);
    end = true;
  }
  body = body.replaceAll("(?P<", "(?<");
  const front = start || body.startsWith(".*") ? "" : hasGroups ? ".*?" : ".*";
  return `${front}${body}${end || /(?:^|[^\\])\.\*$/.test(body) ? "" : ".*"}`;
}

/** The parts between `|` outside of groups and classes. */
function alternatives(source: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let inClass = false;
  let start = 0;
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    if (char === "\\") at++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") inClass = true;
    else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "|" && depth === 0) {
      parts.push(source.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, source.slice(start)];
}

/** The literal text with which everything that `source` matches begins; undefined: it may begin anyhow. */
export function literalStart(source: string): string | undefined {
  if (!source.startsWith("^") || alternatives(source).length > 1) return undefined;
  let text = "";
  for (let at = 1; at < source.length; ) {
    const escaped = /^\\([^A-Za-z0-9])/.exec(source.slice(at));
    const char = escaped?.[1] ?? source[at]!;
    if (escaped === null && /[\\.^$|()[\]*+?{]/.test(char)) break;
    const after = at + (escaped === null ? 1 : 2);
    if (/[*?{]/.test(source[after] ?? "")) break;
    text += char;
    at = after;
  }
  return text;
}
