/**
 * Finds the hooks that a file of a configuration names, and puts plain data in their place: objects with functions
 * in a module, and paths of modules in any file. Other files that are named relative to it get their whole path.
 */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { errorText } from "../hooks/error-text.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { exportOf, hooksAt } from "../hooks/hooks-at.ts";
import { LATE_REMEDY, ModuleLate, type Modules } from "../hooks/import-module.ts";
import type { ConfigError } from "./config-error.ts";
import { describeHooks, type FoundHooks } from "./hook-objects.ts";
import {
  at,
  isList,
  isMap,
  type Located,
  type Path,
  type Place,
  pathText,
  placeText,
  plainOf,
} from "./located.ts";
import { codeRemedy } from "./package-type.ts";
import { syntaxPlace } from "./syntax-place.ts";

const ENDINGS = [".ts", ".mts", ".js", ".mjs"];

/** Where the functions of inline objects can be found again. */
export type InlineSource =
  /** In this module, by their path. */
  | { readonly file: string }
  /** In this list, to which they are added. */
  | { readonly given: Hooks[] };

export class HookFinder {
  readonly #loader: Modules;
  readonly errors: ConfigError[] = [];
  /** Modules of hooks that files name. */
  readonly files = new Set<string>();

  constructor(loader: Modules) {
    this.#loader = loader;
  }

  /**
   * `root` with data in place of hooks. Names of modules are relative to `folder`; `inline`: undefined where the
   * file can have no functions.
   */
  async find(root: Located, folder: string, inline: InlineSource | undefined): Promise<Located> {
    const routes = at(root, ["routes"])?.content;
    const indexes = routes !== undefined && isList(routes) ? [...routes.keys()] : [];
    let found = root;
    for (const above of [[], ...indexes.map((index) => ["routes", index])]) {
      found = await this.#at(found, [...above, "hooks"], folder, inline);
      found = withPath(found, [...above, "basicAuth", "file"], folder);
    }
    return found;
  }

  async #at(root: Located, where: Path, folder: string, inline: InlineSource | undefined): Promise<Located> {
    const node = at(root, where);
    if (node === undefined) return root;
    const items = isList(node.content) ? node.content : [node];
    const found: Located[] = [];
    for (const [index, item] of items.entries()) {
      const path = isList(node.content) ? [...where, index] : where;
      found.push(...(await this.#item(item, path, folder, inline)));
    }
    return replaced(root, where, { ...node, content: found });
  }

  async #item(
    node: Located,
    where: Path,
    folder: string,
    inline: InlineSource | undefined,
  ): Promise<Located[]> {
    const written = isMap(node.content) || isList(node.content) ? undefined : node.content.value;
    const isObject = isMap(node.content) || (typeof written === "object" && written !== null);
    if (isObject && inline !== undefined) return [this.#inline(node, where, inline)];
    if (typeof written === "string") return await this.#module(node, where, folder, written);
    const remedy = "write the path of a module, or functions in a configuration in TypeScript or JavaScript";
    const source = placeText(node.place);
    this.errors.push({ source, path: pathText(where), reason: "is no path of a module of hooks", remedy });
    return [];
  }

  #inline(node: Located, where: Path, inline: InlineSource): Located {
    const hooks = plainOf(node) as Readonly<Record<string, unknown>>;
    const source =
      "file" in inline
        ? { file: inline.file, path: where }
        : { given: numberOf(hooks as Hooks, inline.given) };
    const { link, problems } = describeHooks(hooks, source);
    for (const { key, ...problem } of problems) {
      const part = key === "" ? node : (at(node, [key]) ?? node);
      const path = pathText(key === "" ? where : [...where, key]);
      this.errors.push({ source: placeText(part.keyPlace ?? part.place), path, ...problem });
    }
    const digest = "file" in source ? this.#digest(source.file) : "";
    return { ...node, content: { value: { link, digest } satisfies FoundHooks } };
  }

  async #module(node: Located, where: Path, folder: string, written: string): Promise<Located[]> {
    const refuse = (reason: string, remedy: string): Located[] => {
      this.errors.push({
        source: placeText(node.place),
        path: pathText(where),
        value: written,
        reason,
        remedy,
      });
      return [];
    };
    const [name = "", steps = ""] = written.split("#");
    const file = path.resolve(folder, name);
    if (!ENDINGS.includes(path.extname(file)))
      return refuse("is no module", `name a file that ends in ${ENDINGS.join(", ")}`);
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
      return refuse("does not exist", "name a file that is there, relative to this one");
    this.files.add(file);
    let exported: unknown;
    try {
      exported = await exportOf(file, 0, this.#loader);
    } catch (error) {
      if (error instanceof ModuleLate) return refuse(error.message, LATE_REMEDY);
      const text = errorText(error).replaceAll(pathToFileURL(file).href, name);
      const place = syntaxPlace(error, this.#loader.filesOf(file));
      return refuse(
        `cannot be run: ${text}${place === undefined ? "" : atText(place, folder)}`,
        codeRemedy(error, place?.source ?? file),
      );
    }
    const base =
      steps === "" ? [] : steps.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    const value: unknown = hooksAt(exported, base);
    const paths = Array.isArray(value) ? value.map((_each, index) => [...base, index]) : [base];
    if (value === undefined || paths.length === 0)
      return refuse("gives no hooks", "write export default { onRequest(request) { … } }");
    return paths.flatMap((each) => {
      const hooks = hooksAt(exported, each);
      if (hooks === undefined)
        return refuse("gives something that is no object of hooks", "correct the module");
      const { link, problems } = describeHooks(hooks as Readonly<Record<string, unknown>>, {
        file,
        path: each,
      });
      for (const { key, value: bad, reason, remedy } of problems)
        refuse(
          key === "" ? reason : `has ${key}${bad === undefined ? "" : ` "${bad}"`}, which ${reason}`,
          remedy,
        );
      const { keyPlace: _, ...rest } = node;
      return [{ ...rest, content: { value: { link, digest: this.#digest(file) } satisfies FoundHooks } }];
    });
  }

  /** Of the file and all that it imports. */
  #digest(file: string): string {
    const hash = createHash("sha256");
    for (const each of this.#loader.filesOf(file)) {
      try {
        hash.update(`${each}\n`).update(readFileSync(each));
      } catch {
        // It has just gone, which the next look at it shows.
      }
    }
    return hash.digest("base64url").slice(0, 16);
  }
}

/** ` (at FILE:3)`, named as from `folder`. */
function atText(place: Place, folder: string): string {
  return ` (at ${placeText({ ...place, source: path.relative(folder, place.source) })})`;
}

/** Its number in `given`, to which it is added unless the same functions are there. */
function numberOf(hooks: Hooks, given: Hooks[]): number {
  const entries = Object.entries(hooks);
  const known = given.findIndex((each) => {
    const others: Readonly<Record<string, unknown>> = { ...each };
    return (
      Object.keys(each).length === entries.length && entries.every(([key, value]) => others[key] === value)
    );
  });
  return known < 0 ? given.push(hooks) - 1 : known;
}

/** A file that is named there is named by its whole path. */
function withPath(root: Located, where: Path, folder: string): Located {
  const node = at(root, where);
  if (node === undefined || isList(node.content) || isMap(node.content)) return root;
  const { value } = node.content;
  if (typeof value !== "string" || value === "") return root;
  return replaced(root, where, { ...node, content: { value: path.resolve(folder, value) } });
}

function replaced(root: Located, where: Path, node: Located): Located {
  const [step, ...rest] = where;
  if (step === undefined) return node;
  const { content } = root;
  if (isList(content))
    return {
      ...root,
      content: content.map((item, index) => (index === step ? replaced(item, rest, node) : item)),
    };
  if (!isMap(content)) return root;
  const entries = [...content].map(
    ([key, item]) => [key, key === step ? replaced(item, rest, node) : item] as const,
  );
  return { ...root, content: new Map(entries) };
}
