/**
 * What happened, in order: as one number that two runs can be compared by, and as lines for people when they
 * are asked for.
 */
const FNV_OFFSET = 0x811c_9dc5 | 0;
const FNV_PRIME = 0x0100_0193;

export class Trace {
  #hash = FNV_OFFSET;
  #count = 0;
  readonly #clock: { readonly nowMs: number };
  readonly #print: ((line: string) => void) | undefined;

  /** `print` takes each line, if there is somebody to read them. */
  constructor(clock: { readonly nowMs: number }, print?: (line: string) => void) {
    this.#clock = clock;
    this.#print = print;
  }

  /** `who` and `what` are short, and constants where this is called often. */
  note(who: string, what: string, a = 0, b = 0, c = 0): void {
    let hash = this.#hash;
    hash = Math.imul(hash ^ ((this.#clock.nowMs * 1000) | 0), FNV_PRIME);
    hash = Math.imul(hash ^ (who.length * 256 + who.charCodeAt(who.length - 1)), FNV_PRIME);
    hash = Math.imul(hash ^ (what.length * 256 + what.charCodeAt(0)), FNV_PRIME);
    hash = Math.imul(hash ^ a, FNV_PRIME);
    hash = Math.imul(hash ^ b, FNV_PRIME);
    this.#hash = Math.imul(hash ^ c, FNV_PRIME);
    this.#count++;
    if (this.#print === undefined) return;
    const figures = [a, b, c].filter((figure, i) => figure !== 0 || i === 0).join(" ");
    this.#print(`${this.#clock.nowMs.toFixed(3).padStart(12)}  ${who.padEnd(12)} ${what} ${figures}`);
  }

  /** Adds a line for people. */
  explain(record: object): void {
    this.#print?.(" ".repeat(14) + JSON.stringify(record));
  }

  /** `0f3a9c71-5120`: the hash, and how many things happened. */
  get digest(): string {
    return `${(this.#hash >>> 0).toString(16).padStart(8, "0")}-${this.#count}`;
  }
}
