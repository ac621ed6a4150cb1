/**
 * A regular expression over bytes whose cost is bounded: it never goes back over its input.
 *
 * Strategy: whether it matches is asked of a deterministic automaton, built when the expression is read: one
 * table lookup per byte. An expression whose automaton would be large is refused then, so no input can make
 * matching slow. Where the groups lie is only asked of inputs that match, by Pike's simulation of the
 * nondeterministic program, whose threads are as few as the automaton has shown.
 *
 * @hot
 */
import { compileRegex, Op, RegexError, type RegexProgram } from "./regex-syntax.ts";

const STATES_MAX = 1024;
/** Threads that may be alive at once where groups are looked for. */
const THREADS_MAX = 100;
const OP_BYTES = Op.bytes;
const OP_SPLIT = Op.split;
const OP_JUMP = Op.jump;
const OP_MARK = Op.mark;
const OP_MATCH = Op.match;

export class Regex {
  readonly source: string;
  readonly program: RegexProgram;
  /** Class of each byte: bytes of one class are never told apart. */
  readonly #classes: Uint8Array;
  readonly #classCount: number;
  /** Next state by state and class; state 0 has no way out and does not match, state 1 is the first. */
  readonly #next: Uint16Array;
  readonly #accepts: Uint8Array;
  /** Two lists of threads, by turns: instructions, and marks of each. */
  readonly #threads: Int32Array;
  readonly #marks: Int32Array;
  readonly #count = new Int32Array(2);
  /** Step in which an instruction was last added. */
  readonly #seen: Int32Array;
  #step = 0;
  readonly #markCount: number;
  /** Marks of the thread that is being added. */
  readonly #current: Int32Array;
  /** Start and end of each group after `locate`; -1 where a group took no part. */
  readonly groups: Int32Array;

  /** Throws `RegexError`. */
  constructor(source: string) {
    this.source = source;
    this.program = compileRegex(source);
    const { ops, groupCount } = this.program;
    const automaton = determine(this.program);
    this.#classes = automaton.classes;
    this.#classCount = automaton.classCount;
    this.#next = automaton.next;
    this.#accepts = automaton.accepts;
    this.#markCount = 2 * (groupCount + 1);
    this.#threads = new Int32Array(2 * ops.length);
    this.#marks = new Int32Array(2 * ops.length * this.#markCount);
    this.#seen = new Int32Array(ops.length);
    this.#current = new Int32Array(this.#markCount);
    this.groups = new Int32Array(this.#markCount);
  }

  /** Whether all of `memory[start, end)` matches. */
  test(memory: Uint8Array, start: number, end: number): boolean {
    const classes = this.#classes;
    const next = this.#next;
    const classCount = this.#classCount;
    let state = 1;
    for (; start < end; start++) {
      state = next[state * classCount + classes[memory[start]!]!]!;
      if (state === 0) return false;
    }
    return this.#accepts[state] !== 0;
  }

  /**
   * Finds the groups of an input that matches, as a backtracking engine would: earlier choices and longer
   * greedy repetitions first. Sets `groups`.
   */
  locate(memory: Uint8Array, start: number, end: number): void {
    const { ops, x, sets } = this.program;
    const half = ops.length;
    const markCount = this.#markCount;
    const threads = this.#threads;
    let list = 0;
    this.#current.fill(-1);
    this.#count[0] = 0;
    this.#nextStep();
    this.#add(0, 0, start);
    for (let pos = start; pos < end; pos++) {
      const byte = memory[pos]!;
      const other = 1 - list;
      this.#count[other] = 0;
      this.#nextStep();
      for (let i = 0; i < this.#count[list]!; i++) {
        const instruction = threads[list * half + i]!;
        if (ops[instruction] !== OP_BYTES || sets[x[instruction]!]![byte] === 0) continue;
        const marks = (list * half + i) * markCount;
        for (let mark = 0; mark < markCount; mark++) this.#current[mark] = this.#marks[marks + mark]!;
        this.#add(other, instruction + 1, pos + 1);
      }
      list = other;
    }
    for (let i = 0; i < this.#count[list]!; i++) {
      if (ops[threads[list * half + i]!] !== OP_MATCH) continue;
      const marks = (list * half + i) * markCount;
      for (let mark = 0; mark < markCount; mark++) this.groups[mark] = this.#marks[marks + mark]!;
      return;
    }
  }

  #nextStep(): void {
    if (this.#step === 0x3fff_ffff) {
      this.#seen.fill(0);
      this.#step = 0;
    }
    this.#step++;
  }

  /** Adds what `instruction` leads to without a byte, best first. At most as deep as the program is long. */
  #add(list: number, instruction: number, pos: number): void {
    if (this.#seen[instruction] === this.#step) return;
    this.#seen[instruction] = this.#step;
    const { ops, x, y } = this.program;
    const op = ops[instruction];
    if (op === OP_JUMP) this.#add(list, x[instruction]!, pos);
    else if (op === OP_SPLIT) {
      this.#add(list, x[instruction]!, pos);
      this.#add(list, y[instruction]!, pos);
    } else if (op === OP_MARK) {
      const mark = x[instruction]!;
      const before = this.#current[mark]!;
      this.#current[mark] = pos;
      this.#add(list, instruction + 1, pos);
      this.#current[mark] = before;
    } else {
      const at = list * ops.length + this.#count[list]!;
      this.#threads[at] = instruction;
      this.#count[list] = this.#count[list]! + 1;
      const marks = at * this.#markCount;
      for (let mark = 0; mark < this.#markCount; mark++) this.#marks[marks + mark] = this.#current[mark]!;
    }
  }
}

interface Automaton {
  readonly classes: Uint8Array;
  readonly classCount: number;
  readonly next: Uint16Array;
  readonly accepts: Uint8Array;
}

/** Builds the automaton by sets of instructions (Rabin and Scott). @cold */
function determine(program: RegexProgram): Automaton {
  const { classes, samples } = byteClasses(program.sets);
  const states: number[][] = [[], reached(program, [0])];
  const numbers = new Map(states.map((state, number) => [state.join(), number]));
  const next: number[][] = [];
  for (let state = 0; state < states.length; state++) {
    next.push(
      samples.map((byte) => {
        const from = states[state]!.filter(
          (at) => program.ops[at] === OP_BYTES && program.sets[program.x[at]!]![byte] !== 0,
        );
        const to = reached(
          program,
          from.map((at) => at + 1),
        );
        const known = numbers.get(to.join());
        if (known !== undefined) return known;
        if (states.length >= STATES_MAX || to.length > THREADS_MAX)
          throw new RegexError("can go on in too many ways at once; make it simpler", 0);
        numbers.set(to.join(), states.length);
        return states.push(to) - 1;
      }),
    );
  }
  const accepts = states.map((state) => (state.some((at) => program.ops[at] === OP_MATCH) ? 1 : 0));
  return {
    classes,
    classCount: samples.length,
    next: Uint16Array.from(next.flat()),
    accepts: Uint8Array.from(accepts),
  };
}

/** Instructions that take a byte, or match, and are reached from `starts` without one. @cold */
function reached({ ops, x, y }: RegexProgram, starts: readonly number[]): number[] {
  const seen = new Set<number>();
  const open = [...starts];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    if (ops[at] === OP_JUMP) open.push(x[at]!);
    else if (ops[at] === OP_SPLIT) open.push(x[at]!, y[at]!);
    else if (ops[at] === OP_MARK) open.push(at + 1);
  }
  return [...seen].filter((at) => ops[at] === OP_BYTES || ops[at] === OP_MATCH).sort((a, b) => a - b);
}

/** Bytes that are members of the same sets are one class; `samples` has one of each. @cold */
function byteClasses(sets: readonly Uint8Array[]): { classes: Uint8Array; samples: number[] } {
  const numbers = new Map<string, number>();
  const samples: number[] = [];
  const classes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const key = sets.map((set) => set[byte]).join("");
    let number = numbers.get(key);
    if (number === undefined) {
      number = samples.push(byte) - 1;
      numbers.set(key, number);
    }
    classes[byte] = number;
  }
  return { classes, samples };
}
