/** Finds and reads configuration files, with all that they include, into one located value. */
import { existsSync, globSync, realpathSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { nearest } from "../base/suggestion.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { ModuleLoader, type Modules, NoModules } from "../hooks/import-module.ts";
import type { ConfigError } from "./config-error.ts";
import { CONFIG_ENDINGS, CONFIG_NAME, MODULE_ENDINGS } from "./config-files.ts";
import { HookFinder } from "./find-hooks.ts";
import type { Environment } from "./interpolate.ts";
import { splitList } from "./kinds.ts";
import {
  at,
  filePlace,
  isList,
  isMap,
  type Located,
  locate,
  overlay,
  type Place,
  placeText,
  withoutAt,
} from "./located.ts";
import { readModule } from "./read-module.ts";
import { isUtf16, readText } from "./read-text.ts";
import type { ReadFile } from "./read-yaml.ts";

export interface LoadedConfig {
  readonly root: Located;
  /** Every file that was read, the named one first, and what modules import that is in no package. */
  readonly files: readonly string[];
  readonly errors: readonly ConfigError[];
  /** Whether `root` has all that is written: then only single values are wrong. */
  readonly isWhole: boolean;
  /** Whether there are modules, which were not to be run: then the rest is of no use. */
  readonly needsModules: boolean;
}

/** Configuration files in `folder`, by name; none where that is not there. */
export async function findConfigs(folder: string): Promise<string[]> {
  const names = new Set(existsSync(folder) ? await readdir(folder) : []);
  return CONFIG_ENDINGS.map((ending) => CONFIG_NAME + ending).filter((name) => names.has(name));
}

/**
 * The configuration of `folder`: the file that `named` says, else the one that is found there, else undefined.
 * `source` is what named it: `--config`. `begins` is told of each module that
 * is run; undefined: none is run. `begunWith`: where none is named, what a running proxy found at its start, ""
 * for nothing; anything else is an error now.
 */
export async function loadConfig(
  folder: string,
  named: { readonly file: string; readonly source: string } | undefined,
  environment: Environment,
  begins: ((file: string) => void) | undefined,
  begunWith?: string,
): Promise<LoadedConfig | undefined> {
  const modules = begins === undefined ? new NoModules() : new ModuleLoader(begins);
  try {
    return await loadBy(new Loader(folder, environment, modules), folder, named, begunWith);
  } finally {
    modules.release();
  }
}

async function loadBy(
  loader: Loader,
  folder: string,
  named: { readonly file: string; readonly source: string } | undefined,
  begunWith: string | undefined,
): Promise<LoadedConfig | undefined> {
  if (named?.file === "")
    return unread({
      source: named.source,
      value: "",
      reason: "is empty",
      remedy: `name a file, like ${CONFIG_NAME}.yaml`,
    });
  if (named !== undefined)
    return await loader.load(path.resolve(folder, named.file), { source: named.source, value: named.file });
  const [first = "", ...others] = await findConfigs(folder);
  if (others.length > 0) {
    const source = [first, ...others].join(", ");
    const reason = "are all configurations of this folder";
    return unread({ source, path: "", reason, remedy: "keep one, or say --config FILE" });
  }
  if (begunWith !== undefined && begunWith !== first) return unread(otherFile(begunWith, first));
  return first === "" ? undefined : await loader.load(path.join(folder, first), { source: first });
}

function unread(error: ConfigError): LoadedConfig {
  const root = { place: filePlace(error.source), content: new Map() };
  return { root, files: [], errors: [error], isWhole: false, needsModules: false };
}

/** A proxy that began with the one would be another with the other: it may lose every rule that it has. */
function otherFile(begunWith: string, now: string): ConfigError {
  if (begunWith === "")
    return {
      source: now,
      path: "",
      reason: "was not there when this proxy was started, and is not read",
      remedy: "restart the proxy to read it, or take it out of the folder",
    };
  return {
    source: begunWith,
    path: "",
    reason: "is not there any more, and this proxy was started with it",
    remedy: now === "" ? "put it back" : `put it back, or restart the proxy to read ${now}`,
  };
}

/**
 * `value` as a program gives it, with what it includes (relative to `folder`). Its places have no source. Objects of
 * hooks are added to `given`, and are refused where there is none.
 */
export async function loadValue(
  value: unknown,
  folder: string,
  environment: Environment,
  given: Hooks[] | undefined,
): Promise<LoadedConfig> {
  const modules = new ModuleLoader();
  try {
    return await new Loader(folder, environment, modules).value(value, given);
  } finally {
    modules.release();
  }
}

const NO_KEYS = "is not a group of keys";
const WRITE_KEYS = "write keys, like listen: and backends:";

/** What asked for a file, for the message when it is not there. */
interface Asker {
  readonly source: string;
  readonly path?: string;
  readonly value?: string;
}

class Loader {
  readonly #modules: Modules;
  readonly #hooks: HookFinder;
  readonly #folder: string;
  readonly #environment: Environment;
  readonly #errors: ConfigError[] = [];
  readonly #read = new Set<string>();
  #isWhole = true;

  constructor(folder: string, environment: Environment, modules: Modules) {
    this.#modules = modules;
    this.#hooks = new HookFinder(modules);
    // One that was removed has no files, which is told of them.
    this.#folder = existsSync(folder) ? realpathSync(folder) : folder;
    this.#environment = environment;
  }

  async load(file: string, asker: Asker): Promise<LoadedConfig> {
    const root = await this.#file(file, asker, []);
    const [first = file] = this.#read;
    const place = filePlace(this.#shown(first));
    return this.#loaded(root ?? { place, content: new Map() }, place);
  }

  async value(value: unknown, given: Hooks[] | undefined): Promise<LoadedConfig> {
    const place = filePlace("");
    const written = locate(value, () => place);
    if (!isMap(written.content)) this.#refuse({ source: "", path: "" }, NO_KEYS, WRITE_KEYS);
    const own = await this.#hooks.find(written, this.#folder, given === undefined ? undefined : { given });
    // Files beside it are found as those beside a file of the folder are.
    const root = await this.#withIncluded(own, path.join(this.#folder, CONFIG_NAME), []);
    return this.#loaded(root, place);
  }

  #loaded(root: Located, place: Place): LoadedConfig {
    const imported = [...this.#read, ...this.#hooks.files].flatMap((each) => this.#modules.filesOf(each));
    const files = [...new Set([...this.#read, ...imported])].map((each) => this.#shown(each));
    this.#errors.push(...this.#hooks.errors);
    return {
      root: { ...root, place },
      files,
      errors: this.#errors,
      isWhole: this.#isWhole,
      needsModules: this.#modules.wasLeftOut,
    };
  }

  /** The file with its includes; `within` are the files that are being read around it. */
  async #file(file: string, asker: Asker, within: readonly string[]): Promise<Located | undefined> {
    const real = this.#existing(file, asker);
    if (real === undefined) return undefined;
    if (within.includes(real)) {
      const chain = [...within.slice(within.indexOf(real)), real].map((each) => this.#shown(each));
      const reason = `includes itself: ${chain.join(" → ")}`;
      return this.#refuse(asker, reason, "break the circle");
    }
    if (this.#read.has(real)) return undefined;
    this.#read.add(real);
    const { root: parsed, errors, isWhole } = await this.#parse(real);
    this.#errors.push(...errors);
    this.#isWhole &&= isWhole;
    const inline = MODULE_ENDINGS.includes(path.extname(real)) ? { file: real } : undefined;
    const root = await this.#hooks.find(parsed, path.dirname(real), inline);
    if (isWhole && !isMap(root.content)) {
      const source = placeText(root.place);
      return this.#refuse({ source, path: "" }, NO_KEYS, WRITE_KEYS);
    }
    return await this.#withIncluded(root, real, [...within, real]);
  }

  async #withIncluded(root: Located, file: string, within: readonly string[]): Promise<Located> {
    const include = at(root, ["include"]);
    const wanted = include === undefined ? [] : wantedOf(include);
    if (include === undefined || wanted === undefined) return root;
    let all: Located | undefined;
    for (const { name, place } of wanted) {
      const asker = { source: placeText(place), path: "include", value: name };
      for (const each of included(name, path.dirname(file), within)) {
        const part = await this.#file(each, asker, within);
        if (part !== undefined) all = all === undefined ? part : overlay(all, part, "append");
      }
    }
    const own = withoutAt(root, ["include"]);
    return all === undefined ? own : overlay(all, own, "append");
  }

  async #parse(file: string): Promise<ReadFile> {
    const shown = this.#shown(file);
    const ending = path.extname(file);
    if (MODULE_ENDINGS.includes(ending)) return await readModule(file, shown, this.#modules);
    const { readJson, readYaml } = await import("./read-yaml.ts");
    const read = ending === ".json" ? readJson : readYaml;
    return read(readText(file), shown, this.#environment);
  }

  /** Its real path, or undefined and an error. */
  #existing(file: string, asker: Asker): string | undefined {
    const refuse = (reason: string, remedy: string) => this.#refuse(asker, reason, remedy);
    try {
      if (statSync(file).isDirectory()) return refuse("is a folder", "name a file");
      if (!CONFIG_ENDINGS.includes(path.extname(file)))
        return refuse("is no kind of configuration", `use a file that ends in ${CONFIG_ENDINGS.join(", ")}`);
      if (isUtf16(file)) return refuse("is UTF-16", "save it as UTF-8");
      return realpathSync(file);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      if (code === "EACCES") return refuse("may not be read by this user", "change its mode or owner");
      if (code !== "ENOENT") return refuse(`cannot be read: ${code}`, "name another file");
      return refuse("does not exist", neighbour(file, asker.value ?? ""));
    }
  }

  #refuse(asker: Asker, reason: string, remedy: string): undefined {
    this.#errors.push({ ...asker, reason, remedy });
    this.#isWhole = false;
  }

  /** As people name it: relative to the working directory, when it is below that. */
  #shown(file: string): string {
    const relative = path.relative(this.#folder, file);
    return relative.startsWith("..") ? file : relative;
  }
}

/** The names that `include` gives; undefined when the schema will refuse it. */
function wantedOf({ content, place }: Located): { name: string; place: Place }[] | undefined {
  const items = isList(content) ? content : undefined;
  if (items === undefined) {
    const text = isMap(content) || !("value" in content) ? undefined : content.value;
    return typeof text === "string"
      ? splitList(text).map((name) => ({ name: name.trim(), place }))
      : undefined;
  }
  const names = items.map((item) => ({ name: scalarText(item), place: item.place }));
  return names.every(({ name }) => name !== "") ? names : undefined;
}

function scalarText({ content }: Located): string {
  const value = isList(content) || isMap(content) ? undefined : content.value;
  return typeof value === "string" ? value : "";
}

/** Files for a name or pattern, by name; a pattern may mean none, and never a file that is just being read. */
function included(name: string, folder: string, within: readonly string[]): string[] {
  if (!/[*?[{]/.test(name)) return [path.resolve(folder, name)];
  const found = globSync(name, { cwd: folder }).map((each) => path.resolve(folder, each));
  return found.sort().filter((each) => !within.includes(realpathSync(each)));
}

/** The remedy for a file that is not there, and was asked for as `written`. */
function neighbour(file: string, written: string): string {
  let names: string[] = [];
  try {
    names = globSync("*", { cwd: path.dirname(file) });
  } catch {
    // The folder is not there either.
  }
  const near = nearest(
    path.basename(file),
    names.filter((name) => CONFIG_ENDINGS.includes(path.extname(name))),
  );
  return near === ""
    ? "name a file that is there"
    : `did you mean ${path.join(path.dirname(written), near)}?`;
}
