/**
 * Imports modules that people wrote: configurations, and the hooks that they name. The package's own name means this
 * package there, wherever it is installed, and what is imported can be imported anew.
 *
 * Node gives a module back as long as it is asked for by the same URL. So a version is written behind the URL, and a
 * module that has one hands it on to what it imports by a relative name; packages are not loaded again. What was
 * loaded before stays in memory.
 */
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What `import … from "hp-proxy"` means, wherever it stands. */
const OWN_NAME = "hp-proxy";
const VERSION = "hp-proxy-version";

/** So long a module may take to run, and the function that it exports to give what it gives. */
export const MODULE_MS_MAX = 10_000;

/** What runs the modules that a configuration names. */
export interface Modules {
  /** Whether a module was to be run, and was not. */
  readonly wasLeftOut: boolean;
  /**
   * Runs the file at `path` (absolute), and gives what it exports. `version`: another number runs it again; 0 is the
   * plain URL. Rejects with what the module throws.
   */
  load(path: string, version: number): Promise<Readonly<Record<string, unknown>>>;
  /** `file`, and what it has imported, and that in turn, but packages; by name. */
  filesOf(file: string): string[];
  release(): void;
}

/** Runs none. */
export class NoModules implements Modules {
  wasLeftOut = false;

  load(): Promise<never> {
    this.wasLeftOut = true;
    return Promise.reject(new Error("modules are not run here"));
  }

  filesOf(file: string): string[] {
    return [file];
  }

  release(): void {}
}

/** Its message is a part of a sentence: `FILE MESSAGE`. */
export class ModuleLate extends Error {
  override readonly name = "ModuleLate";

  constructor() {
    super(`does not come to an end within ${MODULE_MS_MAX / 1000} s, or what it imports does not`);
  }
}

/** What helps then. */
export const LATE_REMEDY = "take out the endless loop, or the wait for what never comes";

/**
 * Settles as `work` does, or rejects with `ModuleLate` when that takes longer than `MODULE_MS_MAX`. What never settles
 * would end the process without a word when nothing else is left to do: a promise alone keeps nothing alive.
 */
export async function inTime<T>(work: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ModuleLate()), MODULE_MS_MAX);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** From its making until `release`, names are resolved as said above in the whole thread. */
export class ModuleLoader implements Modules {
  readonly wasLeftOut = false;
  readonly #hooks: ReturnType<typeof registerHooks>;
  /** Files that each file imports, packages left out. */
  readonly #imports = new Map<string, Set<string>>();
  readonly #begins: (path: string) => void;

  /** `begins` is called before each file that `load` runs. */
  constructor(begins: (path: string) => void = () => {}) {
    this.#begins = begins;
    this.#hooks = registerHooks({
      resolve: (specifier, context, next) => {
        if (specifier === OWN_NAME) return { url: ownUrl(), shortCircuit: true };
        const resolved = next(specifier, context);
        const { parentURL = "" } = context;
        if (![resolved.url, parentURL].every((url) => url.startsWith("file:") && !isPackaged(url)))
          return resolved;
        this.#note(fileURLToPath(parentURL), fileURLToPath(resolved.url));
        const version = new URL(parentURL).searchParams.get(VERSION);
        if (version === null || !context.conditions?.includes("import")) return resolved;
        return { ...resolved, url: versioned(resolved.url, version) };
      },
    });
  }

  async load(path: string, version: number): Promise<Readonly<Record<string, unknown>>> {
    this.#begins(path);
    const { href } = pathToFileURL(path);
    const url = version === 0 ? href : versioned(href, String(version));
    return (await import(url)) as Record<string, unknown>;
  }

  filesOf(file: string): string[] {
    const found = new Set([file]);
    for (const each of found) for (const imported of this.#imports.get(each) ?? []) found.add(imported);
    return [...found].sort();
  }

  release(): void {
    this.#hooks.deregister();
  }

  #note(parent: string, file: string): void {
    const known = this.#imports.get(parent) ?? new Set();
    this.#imports.set(parent, known.add(file));
  }
}

function ownUrl(): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`../index${extension}`, import.meta.url).href;
}

function isPackaged(url: string): boolean {
  return url.includes("/node_modules/");
}

function versioned(url: string, version: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set(VERSION, version);
  return parsed.href;
}
