/** The key `hooks`, of the whole and of a route. */
import type { Hooks } from "../hooks/hooks.ts";
import { type FoundHooks, isFoundHooks } from "./hook-objects.ts";
import { kind, open } from "./kinds.ts";
import { Problem } from "./values.ts";

/** The path of a module, or in a module the functions themselves. */
export type HooksInput = string | Hooks;

/** By now `HookFinder` has put data in place of what is written. */
function readHooks(written: unknown): FoundHooks[] | Problem {
  const items: readonly unknown[] = Array.isArray(written) ? written : [written];
  const found = items.filter(isFoundHooks);
  if (found.length === items.length) return found;
  return new Problem(
    "is no object of hooks",
    "write the path of a module, or in a configuration in TypeScript { onRequest(request) { … } }",
  );
}

export function hooks(group: string, text: string) {
  return open({
    schema: kind<HooksInput | readonly HooksInput[], FoundHooks[]>(readHooks),
    words: {
      group,
      value: "FILE",
      text,
      danger: "Code that runs in every worker: what is slow there delays every request.",
      json: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
    },
  });
}
