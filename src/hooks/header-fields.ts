/** The field lines of a head, as hooks see them: the bytes themselves, read and edited where they lie. */
import { HeadOf, type Intercepted } from "../contract/interception.ts";
import { FRAMING_NAMES } from "../http1/framing-names.ts";
import type { ExchangeView } from "./exchange-view.ts";
import { HookError } from "./hook-error.ts";
import type { HookHeaders } from "./hooks.ts";
import {
  encoded,
  encodeValue,
  fieldName,
  fieldsStart,
  findField,
  found,
  nextField,
  textIn,
} from "./wire-text.ts";

export class HeaderFields implements HookHeaders {
  readonly #view: ExchangeView;
  readonly #which: HeadOf;

  constructor(view: ExchangeView, which: HeadOf) {
    this.#view = view;
    this.#which = which;
  }

  get(name: string): string | null {
    const wanted = fieldName(name);
    const { memory } = this.#view.exchange;
    const end = this.#end();
    let next = findField(memory, this.#fields(), end, wanted);
    if (next < 0) return null;
    let value = textIn(memory, found.valueStart, found.valueEnd);
    for (;;) {
      next = findField(memory, next, end, wanted);
      if (next < 0) return value;
      value += `, ${textIn(memory, found.valueStart, found.valueEnd)}`;
    }
  }

  getAll(name: string): string[] {
    const wanted = fieldName(name);
    const { memory } = this.#view.exchange;
    const end = this.#end();
    const values: string[] = [];
    for (let next = this.#fields(); ; ) {
      next = findField(memory, next, end, wanted);
      if (next < 0) return values;
      values.push(textIn(memory, found.valueStart, found.valueEnd));
    }
  }

  has(name: string): boolean {
    return findField(this.#view.exchange.memory, this.#fields(), this.#end(), fieldName(name)) >= 0;
  }

  set(name: string, value: string): void {
    const bytes = fieldName(name);
    encodeValue(name, value);
    if (!this.#view.exchange.setField(this.#which, bytes, encoded.bytes, encoded.length))
      this.#refuse("set", name);
  }

  append(name: string, value: string): void {
    const bytes = fieldName(name);
    encodeValue(name, value);
    if (!this.#view.exchange.addField(this.#which, bytes, encoded.bytes, encoded.length))
      this.#refuse("append", name);
  }

  delete(name: string): void {
    if (!this.#view.exchange.removeField(this.#which, fieldName(name))) this.#refuse("delete", name);
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    // Collected before the first is given: the loop's body may edit.
    yield* this.#lines();
  }

  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  #lines(): [string, string][] {
    const { memory } = this.#view.exchange;
    const end = this.#end();
    const lines: [string, string][] = [];
    for (let next = this.#fields(); ; ) {
      next = nextField(memory, next, end);
      if (next < 0) return lines;
      const name = textIn(memory, found.nameStart, found.nameEnd).toLowerCase();
      lines.push([name, textIn(memory, found.valueStart, found.valueEnd)]);
    }
  }

  /** Where its first field line begins. */
  #fields(): number {
    const exchange = this.#view.exchange;
    const start = this.#which === HeadOf.request ? exchange.requestStart : exchange.responseStart;
    if (start < 0 || !exchange.isLive) throw gone(exchange);
    return fieldsStart(exchange.memory, start, this.#end());
  }

  #end(): number {
    const exchange = this.#view.exchange;
    return this.#which === HeadOf.request ? exchange.requestHeadEnd : exchange.responseHeadEnd;
  }

  #refuse(what: string, name: string): never {
    const exchange = this.#view.exchange;
    if (!exchange.isLive) throw gone(exchange);
    const lower = name.toLowerCase();
    let why = "it is too late for that, or there is no room in the head";
    if (FRAMING_NAMES.includes(lower)) why = "framing depends on it, and the proxy writes it";
    else if (lower === "host") why = "there is one, which names a host";
    throw new HookError("refused", `cannot ${what} header field ${name}: ${why}`);
  }
}

/** What is thrown where bytes are asked for that are not there any more. */
export function gone({ isLive }: Intercepted): HookError {
  return isLive
    ? new HookError("too_late", "the head was given back already; read it in an earlier hook")
    : new HookError("ended", "the exchange is over: its client has gone, or has its answer");
}
