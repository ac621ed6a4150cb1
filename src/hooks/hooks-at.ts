/** Finds objects of hooks in modules. */
import type { Hooks } from "./hooks.ts";
import { inTime, type Modules } from "./import-module.ts";

/** Steps from a module's default export to an object of hooks. */
export type ExportPath = readonly (string | number)[];

/**
 * What the module at `file` gives: its default export, called where it is a function. Rejects with the module's
 * error, or with one of our own where there is nothing.
 */
export async function exportOf(file: string, version: number, loader: Modules): Promise<unknown> {
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
