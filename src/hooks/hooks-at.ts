/** Finds objects of hooks in modules. */
import type { Hooks } from "./hooks.ts";
import type { ModuleLoader } from "./import-module.ts";

/** Steps from a module's default export to an object of hooks. */
export type ExportPath = readonly (string | number)[];

const LOAD_TIMEOUT_MS = 10_000;

/**
 * What the module at `file` gives: its default export, called where it is a function. Rejects with the module's
 * error, or with one of our own where there is nothing.
 */
export async function exportOf(file: string, version: number, loader: ModuleLoader): Promise<unknown> {
  return await inTime(
    (async () => {
      const module = await loader.load(file, version);
      if (!("default" in module)) throw new Error("it has no default export");
      const exported = module.default;
      return typeof exported === "function" ? ((await exported()) as unknown) : exported;
    })(),
  );
}

/** The object at `path` below `exported`; undefined where there is none. */
export function hooksAt(exported: unknown, path: ExportPath): Hooks | undefined {
  let value = exported;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return typeof value === "object" && value !== null ? (value as Hooks) : undefined;
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`it gives no hooks within ${LOAD_TIMEOUT_MS / 1000} s`);
    timer = setTimeout(() => reject(error), LOAD_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
