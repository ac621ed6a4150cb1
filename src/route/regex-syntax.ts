/**
 * Reads a regular expression into a program for `regex.ts`: byte sets, jumps and marks.
 *
 * The language is what can be matched in one pass: literals, `.`, classes, groups, `|`, and the quantifiers
 * `* + ? {n,m}`, greedy or lazy. What needs to go back over the input (back references, lookaround) or is about
 * positions (`\b`) is refused. An expression is about the whole input: `^` in front and `$` behind say what is
 * so anyway, and are not allowed elsewhere. `(?i)` in front: ASCII case does not count. Set-up only.
 */

/** What is wrong with an expression, and where: offset of a character in it. */
export class RegexError extends Error {
  override readonly name = "RegexError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

export const Op = {
  /** Takes one byte of the set `x`. */
  bytes: 0,
  /** Goes on at `x`, and at `y` if that fails. */
  split: 1,
  jump: 2,
  /** Marks the position as mark `x`. */
  mark: 3,
  /** The end of the expression. */
  match: 4,
} as const;

export interface RegexProgram {
  /** `Op`, x and y of each instruction. */
  readonly ops: Uint8Array;
  readonly x: Int32Array;
  readonly y: Int32Array;
  /** 1 for each member byte. */
  readonly sets: readonly Uint8Array[];
  /** Groups from 1; marks `2n` and `2n + 1` are the ends of group `n`, of which 0 is the whole. */
  readonly groupCount: number;
  /** Number of the group of each name. */
  readonly groupNames: ReadonlyMap<string, number>;
}

const INSTRUCTIONS_MAX = 1000;
const REPEATS_MAX = 255;
const DEPTH_MAX = 50;
const GROUPS_MAX = 20;

type Node =
  | { readonly kind: "bytes"; readonly set: Uint8Array }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly choices: readonly Node[] }
  | { readonly kind: "group"; readonly index: number; readonly inner: Node }
  | {
      readonly kind: "repeat";
      readonly inner: Node;
      readonly min: number;
      /** -1: without end. */
      readonly max: number;
      readonly lazy: boolean;
    };

/** Throws `RegexError`. */
export function compileRegex(source: string): RegexProgram {
  const reader = new Reader(source);
  const node = reader.read();
  const writer = new Writer();
  writer.write({ kind: "group", index: 0, inner: node });
  writer.add(Op.match, 0, 0);
  return {
    ops: Uint8Array.from(writer.ops),
    x: Int32Array.from(writer.x),
    y: Int32Array.from(writer.y),
    sets: writer.sets,
    groupCount: reader.groupCount,
    groupNames: reader.groupNames,
  };
}

const CLASSES: Readonly<Record<string, string>> = {
  d: "0123456789",
  w: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
  s: " \t\r\n\f\v",
};
const CONTROLS: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n", f: "\f", v: "\v" };

class Reader {
  readonly #source: string;
  #at = 0;
  #end: number;
  #depth = 0;
  #foldsCase = false;
  groupCount = 0;
  readonly groupNames = new Map<string, number>();

  constructor(source: string) {
    this.#source = source;
    this.#end = source.length;
  }

  read(): Node {
    if (this.#source.startsWith("(?i)")) {
      this.#foldsCase = true;
      this.#at = 4;
    }
    if (this.#peek() === "^") this.#at++;
    const backslashes = /(\\*)\$$/.exec(this.#source)?.[1];
    if (backslashes !== undefined && backslashes.length % 2 === 0) this.#end--;
    const node = this.#choice();
    if (this.#at < this.#end) this.#fail("has a ) without its (");
    return node;
  }

  #fail(message: string, offset = this.#at): never {
    throw new RegexError(message, offset);
  }

  #peek(): string {
    return this.#at < this.#end ? this.#source[this.#at]! : "";
  }

  #choice(): Node {
    if (++this.#depth > DEPTH_MAX) this.#fail("is nested too deeply");
    const choices = [this.#sequence()];
    while (this.#peek() === "|") {
      this.#at++;
      choices.push(this.#sequence());
    }
    this.#depth--;
    return choices.length === 1 ? choices[0]! : { kind: "choice", choices };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (!["", "|", ")"].includes(this.#peek())) {
      const start = this.#at;
      parts.push(this.#repeated(this.#atom(), start));
    }
    return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
  }

  #repeated(inner: Node, start: number): Node {
    const bounds = this.#quantifier();
    if (bounds === undefined) return inner;
    const { min, max } = bounds;
    const lazy = this.#peek() === "?";
    if (lazy || this.#peek() === "+") {
      if (!lazy) this.#fail("has a possessive quantifier, which has no meaning here");
      this.#at++;
    }
    if ("*+?".includes(this.#peek() || " ")) this.#fail("has two quantifiers in a row");
    if (max >= 0 && max < min) this.#fail("has a repetition whose end is before its beginning", start);
    if (min > REPEATS_MAX || max > REPEATS_MAX) this.#fail(`repeats more than ${REPEATS_MAX} times`, start);
    return { kind: "repeat", inner, min, max, lazy };
  }

  #quantifier(): { min: number; max: number } | undefined {
    const sign = this.#peek();
    if (sign === "*" || sign === "+" || sign === "?") {
      this.#at++;
      return { min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : -1 };
    }
    if (sign !== "{") return undefined;
    const match = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#source.slice(this.#at, this.#end));
    if (match === null) this.#fail("has a { that begins no repetition; write \\{");
    this.#at += match[0].length;
    const min = Number(match[1]);
    if (match[2] === undefined) return { min, max: min };
    return { min, max: match[3] === "" ? -1 : Number(match[3]) };
  }

  #atom(): Node {
    const offset = this.#at;
    const char = this.#peek();
    this.#at++;
    switch (char) {
      case "(":
        return this.#group(offset);
      case "[":
        return { kind: "bytes", set: this.#folded(this.#class(offset)) };
      case ".":
        return { kind: "bytes", set: new Uint8Array(256).fill(1) };
      case "\\":
        return { kind: "bytes", set: this.#folded(this.#escape(offset)) };
      case "^":
      case "$":
        return this.#fail(`has a ${char} within; it is about the whole value anyway`, offset);
      case "*":
      case "+":
      case "?":
      case "{":
        return this.#fail(`has a ${char} with nothing to repeat`, offset);
      default:
        return { kind: "bytes", set: this.#folded(setOf(this.#byte(char, offset))) };
    }
  }

  #byte(char: string, offset: number): string {
    const code = char.charCodeAt(0);
    if (code < 0x20 || code > 0x7e)
      this.#fail("has a character that is not ASCII; write its bytes as \\xHH", offset);
    return char;
  }

  #group(offset: number): Node {
    const named = /^\?<([A-Za-z_]\w*)>/.exec(this.#source.slice(this.#at, this.#end));
    let index = -1;
    if (this.#source.startsWith("?:", this.#at)) this.#at += 2;
    else if (named !== null) {
      index = ++this.groupCount;
      if (this.groupNames.has(named[1]!)) this.#fail(`has two groups named ${named[1]}`, offset);
      this.groupNames.set(named[1]!, index);
      this.#at += named[0].length;
    } else if (this.#peek() === "?") {
      this.#fail("has a group of a kind that cannot be matched in one pass (lookaround, flags)", offset);
    } else index = ++this.groupCount;
    if (this.groupCount > GROUPS_MAX) this.#fail(`has more than ${GROUPS_MAX} groups; write (?:…)`, offset);
    const inner = this.#choice();
    if (this.#peek() !== ")") this.#fail("has a ( without its )", offset);
    this.#at++;
    return index < 0 ? inner : { kind: "group", index, inner };
  }

  /** What follows a backslash at `offset`. */
  #escape(offset: number): Uint8Array {
    const char = this.#peek();
    if (char === "") this.#fail("ends in a backslash", offset);
    this.#at++;
    const members = CLASSES[char.toLowerCase()];
    if (members !== undefined) return char === char.toLowerCase() ? setOf(members) : negated(setOf(members));
    if (CONTROLS[char] !== undefined) return setOf(CONTROLS[char]);
    if (char === "x") {
      const digits = /^[0-9A-Fa-f]{2}/.exec(this.#source.slice(this.#at, this.#end))?.[0];
      if (digits === undefined) this.#fail("has \\x without two hexadecimal digits", offset);
      this.#at += 2;
      return setOf(String.fromCharCode(Number.parseInt(digits, 16)));
    }
    if (/[A-Za-z0-9]/.test(char)) {
      const what = /[1-9k]/.test(char) ? "a back reference" : `\\${char}`;
      this.#fail(`has ${what}, which cannot be matched in one pass`, offset);
    }
    return setOf(this.#byte(char, offset));
  }

  #class(offset: number): Uint8Array {
    const set = new Uint8Array(256);
    const isNegated = this.#peek() === "^";
    if (isNegated) this.#at++;
    for (let first = true; first || this.#peek() !== "]"; first = false) {
      if (this.#peek() === "") this.#fail("has a [ without its ]", offset);
      if (this.#peek() === "]") this.#fail("has an empty class", offset);
      const from = this.#classItem();
      const isRange = this.#peek() === "-" && this.#source[this.#at + 1] !== "]" && this.#at + 1 < this.#end;
      if (!isRange) {
        for (let byte = 0; byte < 256; byte++) if (from[byte] !== 0) set[byte] = 1;
        continue;
      }
      const rangeAt = this.#at;
      this.#at++;
      const low = onlyMember(from);
      const high = onlyMember(this.#classItem());
      if (low < 0 || high < low) this.#fail("has a range that is none", rangeAt);
      set.fill(1, low, high + 1);
    }
    this.#at++;
    return isNegated ? negated(this.#folded(set)) : set;
  }

  #classItem(): Uint8Array {
    const offset = this.#at;
    const char = this.#peek();
    if (char === "") this.#fail("has a [ without its ]", offset);
    this.#at++;
    return char === "\\" ? this.#escape(offset) : setOf(this.#byte(char, offset));
  }

  #folded(set: Uint8Array): Uint8Array {
    if (!this.#foldsCase) return set;
    const both = set.slice();
    for (let byte = 0x41; byte <= 0x5a; byte++) {
      if (set[byte] === 0 && set[byte + 32] === 0) continue;
      both[byte] = 1;
      both[byte + 32] = 1;
    }
    return both;
  }
}

/** The bytes of Latin-1 `characters`. */
function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) set[characters.charCodeAt(i)] = 1;
  return set;
}

function negated(set: Uint8Array): Uint8Array {
  return set.map((member) => 1 - member);
}

/** The only byte of `set`, or -1. */
function onlyMember(set: Uint8Array): number {
  const first = set.indexOf(1);
  return first === set.lastIndexOf(1) ? first : -1;
}

class Writer {
  readonly ops: number[] = [];
  readonly x: number[] = [];
  readonly y: number[] = [];
  readonly sets: Uint8Array[] = [];
  readonly #setNumbers = new Map<string, number>();

  add(op: number, x: number, y: number): number {
    if (this.ops.length >= INSTRUCTIONS_MAX) throw new RegexError("is too long, repetitions counted out", 0);
    this.x.push(x);
    this.y.push(y);
    return this.ops.push(op) - 1;
  }

  write(node: Node): void {
    switch (node.kind) {
      case "bytes":
        this.add(Op.bytes, this.#setNumber(node.set), 0);
        break;
      case "sequence":
        for (const part of node.parts) this.write(part);
        break;
      case "choice":
        this.#writeChoice(node.choices);
        break;
      case "group":
        this.add(Op.mark, node.index * 2, 0);
        this.write(node.inner);
        this.add(Op.mark, node.index * 2 + 1, 0);
        break;
      case "repeat":
        for (let i = 0; i < node.min; i++) this.write(node.inner);
        if (node.max < 0) this.#writeLoop(node.inner, node.lazy);
        for (let i = node.min; i < node.max; i++) this.#writeOption(node.inner, node.lazy);
    }
  }

  #writeChoice(choices: readonly Node[]): void {
    const jumps: number[] = [];
    for (const [index, choice] of choices.entries()) {
      if (index === choices.length - 1) {
        this.write(choice);
        break;
      }
      const split = this.add(Op.split, this.ops.length + 1, 0);
      this.write(choice);
      jumps.push(this.add(Op.jump, 0, 0));
      this.y[split] = this.ops.length;
    }
    for (const jump of jumps) this.x[jump] = this.ops.length;
  }

  #writeLoop(inner: Node, lazy: boolean): void {
    const split = this.add(Op.split, 0, 0);
    this.write(inner);
    this.add(Op.jump, split, 0);
    this.#aim(split, lazy);
  }

  #writeOption(inner: Node, lazy: boolean): void {
    const split = this.add(Op.split, 0, 0);
    this.write(inner);
    this.#aim(split, lazy);
  }

  /** The split goes into what follows it, or past what was written since; which first is for `lazy` to say. */
  #aim(split: number, lazy: boolean): void {
    this.x[split] = lazy ? this.ops.length : split + 1;
    this.y[split] = lazy ? split + 1 : this.ops.length;
  }

  #setNumber(set: Uint8Array): number {
    const key = set.join("");
    let number = this.#setNumbers.get(key);
    if (number === undefined) {
      number = this.sets.push(set) - 1;
      this.#setNumbers.set(key, number);
    }
    return number;
  }
}
