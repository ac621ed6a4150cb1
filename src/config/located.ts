/**
 * A configuration as it was written: a tree of values, each with its place (a line of a file, a flag, a
 * variable).
 *
 * Strategy: files, flags and variables all become such trees. They are laid over each other here, once; what
 * comes out is checked by one schema, and every error can still say where the value stands that it is about.
 */

/** Where something is written. */
export interface Place {
  /** An option is a flag or a variable. */
  readonly kind: "file" | "option";
  /** A file as people name it, or `--port`, or `HP_PROXY_PORT`. */
  readonly source: string;
  /** From 1; 0 where it is not known, or has no meaning. */
  readonly line: number;
  readonly column: number;
}

/** A value and its place. Lists and maps hold others of the same kind. */
export interface Located {
  readonly place: Place;
  readonly content: LocatedList | LocatedMap | Scalar;
  /** Of a map's value: where its key stands. */
  readonly keyPlace?: Place;
}

/** What has no parts: text, number, boolean, or whatever a module's code put there. */
export interface Scalar {
  readonly value: unknown;
}

export type LocatedList = readonly Located[];
export type LocatedMap = ReadonlyMap<string, Located>;

/** Keys and indexes from the root. */
export type Path = readonly (string | number)[];

export function isList(content: Located["content"]): content is LocatedList {
  return Array.isArray(content);
}

export function isMap(content: Located["content"]): content is LocatedMap {
  return content instanceof Map;
}

/** `--port` or `HP_PROXY_PORT`. */
export function optionPlace(source: string): Place {
  return { kind: "option", source, line: 0, column: 0 };
}

/** A file; `line` and `column` count from 1, and are 0 where they are not known. */
export function filePlace(source: string, line = 0, column = 0): Place {
  return { kind: "file", source, line, column };
}

/** `hp-proxy.config.yaml:7:5`, `--port`, and `dep.js:3` where the column is not known. */
export function placeText({ source, line, column }: Place): string {
  if (line === 0) return source;
  return column === 0 ? `${source}:${line}` : `${source}:${line}:${column}`;
}

/** `clusters.app.backends[2]`; keys that are no plain words stand in quotes. */
export function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The values alone. */
export function plainOf({ content }: Located): unknown {
  if (isList(content)) return content.map(plainOf);
  if (isMap(content)) return Object.fromEntries([...content].map(([key, node]) => [key, plainOf(node)]));
  return content.value;
}

/** What is written at `path`, or undefined. */
export function at(root: Located, path: Path): Located | undefined {
  let node: Located | undefined = root;
  for (const step of path) {
    if (node === undefined) return undefined;
    const { content }: Located = node;
    if (isList(content)) node = typeof step === "number" ? content[step] : undefined;
    else node = isMap(content) ? content.get(String(step)) : undefined;
  }
  return node;
}

/** What is written nearest above `path` or at it, and how much of `path` that is. */
export function nearestAt(root: Located, path: Path): { node: Located; path: Path } {
  for (let length = path.length; length > 0; length--) {
    const node = at(root, path.slice(0, length));
    if (node !== undefined) return { node, path: path.slice(0, length) };
  }
  return { node: root, path: [] };
}

/**
 * `over` laid over `base`: maps are joined key by key, and for anything else `over` counts. With
 * `lists: "append"`, its lists stand behind those of `base` instead of replacing them.
 */
export function overlay(base: Located, over: Located, lists: "append" | "replace"): Located {
  if (isMap(base.content) && isMap(over.content)) {
    const content = new Map(base.content);
    for (const [key, node] of over.content) {
      const below = content.get(key);
      content.set(key, below === undefined ? node : overlay(below, node, lists));
    }
    return { ...base, content };
  }
  if (lists === "append" && isList(base.content) && isList(over.content))
    return { ...over, content: [...base.content, ...over.content] };
  return over;
}

/** `root` with `node` at `path`; maps that are missing on the way stand where `node` does. */
export function withAt(root: Located, path: readonly string[], node: Located): Located {
  const [key, ...rest] = path;
  if (key === undefined) return node;
  const map: LocatedMap = isMap(root.content) ? root.content : new Map();
  const below = map.get(key) ?? { place: node.place, content: new Map() };
  return { ...root, content: new Map([...map, [key, withAt(below, rest, node)]]) };
}

/** `root` without what is at `path`. */
export function withoutAt(root: Located, path: readonly string[]): Located {
  const [key, ...rest] = path;
  if (key === undefined || !isMap(root.content)) return root;
  const below = root.content.get(key);
  if (below === undefined) return root;
  const content = new Map(root.content);
  if (rest.length === 0) content.delete(key);
  else content.set(key, withoutAt(below, rest));
  return { ...root, content };
}

/** Data of a program as a tree; `placeOf` says where the value at a path stands. Cycles end as values. */
export function locate(value: unknown, placeOf: (path: Path) => Place, path: Path = []): Located {
  const place = placeOf(path);
  if (path.length > DEPTH_MAX) return { place, content: { value } };
  if (Array.isArray(value))
    return { place, content: value.map((item, index) => locate(item, placeOf, [...path, index])) };
  if (!isPlainObject(value)) return { place, content: { value } };
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  return {
    place,
    content: new Map(entries.map(([key, item]) => [key, locate(item, placeOf, [...path, key])])),
  };
}

/** No configuration is deeper. */
export const DEPTH_MAX = 32;

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm are plain as well.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
