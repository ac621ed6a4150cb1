/** Options that programs give: a wrong word is told, since nobody else would notice. */
import { nearest } from "../base/suggestion.ts";
import { ProxyError } from "./proxy-error.ts";

/** Throws `ProxyError` for an option of `of` that is none of `names`. `undefined` is as good as absent. */
export function assertKnown(given: object, names: readonly string[], of: string): void {
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && !names.includes(name))
      throw new ProxyError("wrong-option", `${of} has no option ${name}; ${remedyFor(name, names)}`);
}

/** What to write instead of `typed`. */
export function remedyFor(typed: string, words: readonly string[]): string {
  const near = nearest(typed, words);
  return near === "" ? `there are ${words.join(", ")}` : `did you mean ${near}?`;
}
