/**
 * YAML and JSON files as located values.
 *
 * Strategy: the parser's own tree is walked, not the plain data that it could give, because it knows where
 * everything stands. JSON is read twice: once by `JSON.parse`, which decides whether it is JSON, and once as
 * YAML (JSON is a part of that) for the places.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import type { ConfigError } from "./config-error.ts";
import { type Environment, interpolate } from "./interpolate.ts";
import { DEPTH_MAX, filePlace, type Located, type Path, type Place, pathText, placeText } from "./located.ts";
import { Problem } from "./values.ts";

export interface ReadFile {
  readonly root: Located;
  readonly errors: readonly ConfigError[];
  /** Whether `root` has all that is written: then only single values are wrong. */
  readonly isWhole: boolean;
}

/** Aliases can make much of little. */
const NODES_MAX = 100_000;

/** `file` is its name in messages. Errors of the syntax leave `root` empty. */
export function readYaml(text: string, file: string, environment: Environment): ReadFile {
  return new YamlReader(text, file, environment).read();
}

/** As `readYaml`, for what must be JSON. */
export function readJson(text: string, file: string, environment: Environment): ReadFile {
  const read = readYaml(text, file, environment);
  try {
    JSON.parse(text);
    return read;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const source = placeText(jsonPlace(text, file, message)) || (read.errors[0]?.source ?? file);
    const reason = `is not JSON: ${message.replace(/(?: in JSON at position|, \.*").*/s, "")}`;
    const remedy = "correct it, or write YAML in a file that ends in .yaml";
    const root: Located = { place: filePlace(file), content: new Map() };
    return { root, errors: [{ source, path: "", reason, remedy }], isWhole: false };
  }
}

/** Where the message of `JSON.parse` says that it is wrong; not every message does. */
function jsonPlace(text: string, file: string, message: string): Place {
  const position = jsonPosition(text, message);
  if (position < 0) return filePlace("");
  const before = text.slice(0, position);
  return filePlace(file, before.split("\n").length, before.length - before.lastIndexOf("\n"));
}

/** V8 tells the position, or quotes the text from 10 characters before it; -1 where it does neither. */
function jsonPosition(text: string, message: string): number {
  const told = /at position (\d+)/.exec(message)?.[1];
  if (told !== undefined) return Number(told);
  if (message.includes("end of JSON")) return text.length;
  const quoted = /\.\.\."(.*)"(?:\.\.\.)? is not valid JSON/s.exec(message)?.[1];
  const start = quoted === undefined ? -1 : text.indexOf(quoted);
  return start < 0 ? -1 : start + 10;
}

class YamlReader {
  readonly #file: string;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  readonly #errors: ConfigError[] = [];
  #nodes = 0;
  #isTooMuch = false;

  constructor(text: string, file: string, environment: Environment) {
    this.#file = file;
    this.#environment = environment;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
  }

  read(): ReadFile {
    const { errors, warnings, contents } = this.#document;
    for (const error of [...errors, ...warnings]) this.#syntaxError(error);
    const empty: Located = { place: filePlace(this.#file), content: new Map() };
    const isRead = this.#errors.length === 0;
    const root = isRead && contents !== null ? this.#located(contents, []) : undefined;
    return { root: root ?? empty, errors: this.#errors, isWhole: isRead && !this.#isTooMuch };
  }

  /** Undefined for nothing: `timeouts:` with no keys below it is as if it were not there. */
  #located(node: Node, path: Path): Located | undefined {
    const place = this.#place(node);
    this.#nodes++;
    if (this.#nodes > NODES_MAX || path.length > DEPTH_MAX) {
      if (!this.#isTooMuch)
        this.#complain(place, path.slice(0, 2), "is too much", "leave out what is repeated");
      this.#isTooMuch = true;
      return undefined;
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target !== undefined) return this.#located(target, path);
      this.#complain(
        place,
        path,
        "is no anchor of this file",
        `write &${node.source} where it stands for`,
        `*${node.source}`,
      );
      return undefined;
    }
    if (isMap(node)) return { place, content: this.#entries(node.items, path) };
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.#located(item as Node, [...path, index]));
      return { place, content: items.map((item) => item ?? { place, content: { value: null } }) };
    }
    if (!isScalar(node) || node.value === null) return undefined;
    return { place, content: { value: this.#value(node.value, place, path) } };
  }

  #entries(items: readonly { key: unknown; value: unknown }[], path: Path): Map<string, Located> {
    const content = new Map<string, Located>();
    for (const { key, value } of items) {
      if (!isScalar(key)) continue;
      // `007` is a name here, and no number.
      const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
      const located = value === null ? undefined : this.#located(value as Node, [...path, name]);
      if (located !== undefined) content.set(name, { ...located, keyPlace: this.#place(key) });
    }
    return content;
  }

  #value(value: unknown, place: Place, path: Path): unknown {
    if (typeof value !== "string") return value;
    const result = interpolate(value, this.#environment);
    if (!(result instanceof Problem)) return result;
    this.#complain(place, path, result.reason, result.remedy, value);
    return value;
  }

  #place(node: Node): Place {
    return this.#placeOf(node.range?.[0] ?? 0);
  }

  #placeOf(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return filePlace(this.#file, line, col);
  }

  #syntaxError({ code, message, pos }: YAMLError): void {
    const place = this.#placeOf(pos[0]);
    const reason = `is not YAML: ${message.replace(/(?:; please.*|\.)$/, "")}`;
    if (code === "DUPLICATE_KEY") this.#complain(place, [], "is there twice", "keep one");
    else this.#complain(place, [], reason, REMEDIES[code] ?? "correct this line, or the one above");
  }

  #complain(place: Place, path: Path, reason: string, remedy: string, value?: string): void {
    const shown = value === undefined ? {} : { value };
    this.#errors.push({ source: placeText(place), path: pathText(path), ...shown, reason, remedy });
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with blanks",
  MISSING_CHAR: "close what is open; a text with { } or [ ] needs quotes",
  MULTIPLE_DOCS: "keep one document in a file",
  BAD_INDENT: "give keys of one group the same indentation",
  TAG_RESOLVE_FAILED: "leave the tag out",
};
