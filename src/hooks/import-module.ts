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

/** From its making until `release`, names are resolved as said above in the whole thread. */
export class ModuleLoader {
  readonly #hooks: ReturnType<typeof registerHooks>;
  /** Files that each file imports, packages left out. */
  readonly #imports = new Map<string, Set<string>>();

  constructor() {
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

  /** Imports the file at `path` (absolute). `version`: another number loads it again; 0 is the plain URL. */
  async load(path: string, version: number): Promise<Readonly<Record<string, unknown>>> {
    const { href } = pathToFileURL(path);
    const url = version === 0 ? href : versioned(href, String(version));
    return (await import(url)) as Record<string, unknown>;
  }

  /** `file`, and what it has imported since this loader is there, and that in turn, but packages; by name. */
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
