/**
 * The grammar of nginx's configuration: words, quoted words with escapes, blocks, comments. Text becomes a
 * tree of directives, each with its line; what a directive means is decided elsewhere.
 *
 * Written here because no library that is kept up gives lines and refuses what nginx refuses. Words come out
 * as nginx sees them: quotes gone, escapes resolved.
 */

/** A directive with its words and, where it has one, its block. */
export interface Directive {
  readonly name: string;
  /** What follows the name. */
  readonly words: readonly string[];
  readonly file: string;
  /** From 1: where its name stands. */
  readonly line: number;
  /** Null: it ends in a semicolon. */
  readonly block: readonly Directive[] | null;
}

/** What is wrong with a file: nothing can be made of it. `reason` and `remedy` are parts of a sentence. */
export class NginxError extends Error {
  override readonly name = "NginxError";
  readonly file: string;
  /** From 1; 0: about the file as a whole. */
  readonly line: number;
  readonly reason: string;
  readonly remedy: string;

  constructor(file: string, line: number, reason: string, remedy: string) {
    super(`${file}:${line}: ${reason}; ${remedy}`);
    this.file = file;
    this.line = line;
    this.reason = reason;
    this.remedy = remedy;
  }
}

const DEPTH_MAX = 32;
const DIRECTIVES_MAX = 100_000;
const WORD_CHARACTERS_MAX = 4096;
const WORDS_MAX = 4096;

/** `file` is its name in messages. Throws `NginxError`, and nothing else. */
export function parseNginx(text: string, file: string): Directive[] {
  return new Reader(text, file).read();
}

type Token =
  | { readonly kind: "word"; readonly text: string; readonly line: number; readonly isQuoted: boolean }
  | { readonly kind: ";" | "{" | "}" | "end"; readonly line: number };

class Reader {
  readonly #text: string;
  readonly #file: string;
  #at = 0;
  #line = 1;
  #count = 0;

  constructor(text: string, file: string) {
    this.#text = text.startsWith("\ufeff") ? text.slice(1) : text;
    this.#file = file;
  }

  read(): Directive[] {
    const nul = this.#text.indexOf("\0");
    if (nul >= 0) {
      const line = this.#text.slice(0, nul).split("\n").length;
      this.#fail(line, "has a NUL byte", "name a configuration of nginx");
    }
    return this.#block(null, 0);
  }

  #fail(line: number, reason: string, remedy: string): never {
    throw new NginxError(this.#file, line, reason, remedy);
  }

  /** Directives up to the `}` of the block that `opened` began, or to the end of the file. */
  #block(opened: { name: string; line: number } | null, depth: number): Directive[] {
    if (depth > DEPTH_MAX) this.#fail(this.#line, `has blocks more than ${DEPTH_MAX} deep`, "flatten them");
    const directives: Directive[] = [];
    for (;;) {
      const token = this.#token();
      switch (token.kind) {
        case "word":
          directives.push(this.#directive(token, depth));
          break;
        case "}":
          if (opened === null) this.#fail(token.line, 'has a "}" that closes no block', "take it away");
          return directives;
        case "end":
          if (opened !== null)
            this.#fail(opened.line, `opens a block ${opened.name} that nothing closes`, 'write its "}"');
          return directives;
        default:
          this.#fail(token.line, `has a "${token.kind}" without a directive`, "take it away");
      }
    }
  }

  #directive(name: Token & { kind: "word" }, depth: number): Directive {
    if (++this.#count > DIRECTIVES_MAX)
      this.#fail(name.line, `has more than ${DIRECTIVES_MAX} directives`, "import it in parts");
    if (!name.isQuoted && /_by_lua_block$/.test(name.text))
      this.#fail(
        name.line,
        `has Lua in ${name.text}`,
        "take the block away, and write it as code of your own",
      );
    const words: string[] = [];
    for (;;) {
      const token = this.#token();
      if (token.kind === "word") {
        if (words.push(token.text) > WORDS_MAX)
          this.#fail(name.line, `${name.text} has more than ${WORDS_MAX} words`, "end it with a semicolon");
        continue;
      }
      const directive = { name: name.text, words, file: this.#file, line: name.line };
      if (token.kind === ";") return { ...directive, block: null };
      if (token.kind === "{") return { ...directive, block: this.#block({ ...directive }, depth + 1) };
      const what = token.kind === "end" ? "the end of the file" : `the "}" of line ${token.line}`;
      this.#fail(name.line, `${name.text} runs into ${what}`, "end it with a semicolon");
    }
  }

  #token(): Token {
    this.#skipBlank();
    const line = this.#line;
    const char = this.#text[this.#at];
    if (char === undefined) return { kind: "end", line };
    if (char === ";" || char === "{" || char === "}") {
      this.#at++;
      return { kind: char, line };
    }
    const isQuoted = char === '"' || char === "'";
    const text = isQuoted ? this.#quoted(char) : this.#bare();
    if (text.length > WORD_CHARACTERS_MAX)
      this.#fail(line, `has a word of more than ${WORD_CHARACTERS_MAX} characters`, "close its quote");
    return { kind: "word", text, line, isQuoted };
  }

  #skipBlank(): void {
    const text = this.#text;
    for (; this.#at < text.length; this.#at++) {
      const char = text[this.#at]!;
      if (char === "\n") this.#line++;
      else if (char === "#") {
        const end = text.indexOf("\n", this.#at);
        this.#at = (end < 0 ? text.length : end) - 1;
      } else if (!isBlank(char)) return;
    }
  }

  #quoted(quote: string): string {
    const line = this.#line;
    const start = ++this.#at;
    for (; this.#text[this.#at] !== quote; this.#at++) {
      if (this.#text[this.#at] === "\\") this.#step();
      if (this.#at >= this.#text.length)
        this.#fail(line, "opens a quote that nothing closes", `write ${quote}`);
      if (this.#text[this.#at] === "\n") this.#line++;
    }
    const word = unescaped(this.#text.slice(start, this.#at++));
    const next = this.#text[this.#at];
    if (next !== undefined && !isBlank(next) && !"\n;{)".includes(next))
      this.#fail(this.#line, "has a letter right behind a closing quote", "write a blank between");
    return word;
  }

  /** A word without quotes. Only `${` may have a brace within, and its `}` is a letter as any other. */
  #bare(): string {
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]!;
      if (char === "\\") this.#step();
      else if (char === "$" && this.#text[this.#at + 1] === "{") this.#at++;
      else if (isBlank(char) || char === "\n" || char === ";" || char === "{") break;
    }
    this.#at = Math.min(this.#at, this.#text.length);
    return unescaped(this.#text.slice(start, this.#at));
  }

  /** To what a backslash escapes. */
  #step(): void {
    if (this.#text[++this.#at] === "\n") this.#line++;
  }
}

function isBlank(char: string): boolean {
  return char === " " || char === "\t" || char === "\r";
}

const CONTROLS: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** Quotes, backslashes and t, r, n lose their backslash; any other letter keeps it, as regexes want it. */
function unescaped(word: string): string {
  return word.replaceAll(/\\(["'\\trn])/g, (_whole, char: string) => CONTROLS[char] ?? char);
}
