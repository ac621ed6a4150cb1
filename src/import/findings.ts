/** What is told about an import: warnings, each once, with every place that it is about. */
import type { Directive } from "./nginx-grammar.ts";

/** Something that the result does not say as nginx did. */
export interface ImportWarning {
  /** `nginx.conf:12`. */
  readonly place: string;
  /** The directive as written, cut where it is long. */
  readonly directive: string;
  /** What is different, and what to do about it. */
  readonly text: string;
  /** More places of which the same is true. */
  readonly also: readonly string[];
}

const DIRECTIVE_CHARACTERS_MAX = 60;
const PLACES_MAX = 5;

export class Findings {
  readonly #warnings = new Map<string, { first: Directive; text: string; places: string[]; order: number }>();

  /** `key`: warnings with the same one are told once, with all places; as a rule those with the same text. */
  warn(directive: Directive, text: string, key = `${directive.name} ${text}`): void {
    const place = placeOf(directive);
    const known = this.#warnings.get(key);
    if (known === undefined)
      this.#warnings.set(key, { first: directive, text, places: [place], order: this.#warnings.size });
    else if (!known.places.includes(place)) known.places.push(place);
  }

  /** By file in the order in which they came up, and in each by line. */
  all(): ImportWarning[] {
    const files = [...new Set([...this.#warnings.values()].map(({ first }) => first.file))];
    const sorted = [...this.#warnings.values()].sort(
      (a, b) =>
        files.indexOf(a.first.file) - files.indexOf(b.first.file) ||
        a.first.line - b.first.line ||
        a.order - b.order,
    );
    return sorted.map(({ first, text, places }) => {
      return { place: places[0]!, directive: directiveText(first), text, also: places.slice(1) };
    });
  }
}

export function placeOf({ file, line }: Directive): string {
  return `${file}:${line}`;
}

/** The directive as one would write it, without its block. */
export function directiveText({ name, words }: Directive): string {
  const text = [
    name,
    ...words.map((word) => (/[\s;{}"']/.test(word) || word === "" ? JSON.stringify(word) : word)),
  ].join(" ");
  return text.length <= DIRECTIVE_CHARACTERS_MAX ? text : `${text.slice(0, DIRECTIVE_CHARACTERS_MAX)}…`;
}

/** `nginx.conf:12 gzip on: TEXT (also nginx.conf:20)`. */
export function warningText({ place, directive, text, also }: ImportWarning): string {
  if (also.length === 0) return `${place} ${directive}: ${text}`;
  const shown = also.slice(0, PLACES_MAX).join(", ");
  const more = also.length > PLACES_MAX ? ` and ${also.length - PLACES_MAX} more` : "";
  return `${place} ${directive}: ${text} (also ${shown}${more})`;
}
