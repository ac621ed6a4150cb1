/** What is right in a route of which some is wrong, so that all that is wrong with it can be told at once. */
import type * as z from "zod";
import { nearest } from "../base/suggestion.ts";
import { isMap } from "./parts.ts";
import { ROUTE, type RouteDocument } from "./routes-schema.ts";

export interface PartOfRoute {
  /** Groups are without those of their parts that are wrong. */
  readonly route: RouteDocument;
  /** Its keys that are wrong, or of which a part is. */
  readonly wrong: ReadonlySet<string>;
}

/** Of the item `index` of `routes` as written; `issues` are those of the whole configuration. */
export function partOfRoute(
  written: unknown,
  index: number,
  issues: readonly z.core.$ZodIssue[],
): PartOfRoute {
  const wrong = new Set<string>();
  if (!isMap(written)) return { route: {}, wrong: new Set(Object.keys(ROUTE)) };
  const plain = structuredCopy(written) as Record<string, unknown>;
  for (const issue of issues) {
    if (issue.path[0] !== "routes" || issue.path[1] !== index) continue;
    const path = issue.path.slice(2) as (string | number)[];
    const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
    for (const key of unknown) wrong.add(nearest(key, Object.keys(ROUTE)));
    if (path.length === 0) continue;
    wrong.add(String(path[0]));
    remove(plain, path);
  }
  const route: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(ROUTE)) {
    const result = schema.safeParse(plain[key]);
    if (result.success && result.data !== undefined) route[key] = result.data;
  }
  return { route, wrong };
}

/** Lists and maps anew; functions and the like stay what they are. */
function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (!isMap(value) || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structuredCopy(item)]));
}

/** An item of a list becomes "", so that those behind it keep their places. */
function remove(plain: unknown, path: readonly (string | number)[]): void {
  const [step, ...rest] = path;
  if (Array.isArray(plain) && typeof step === "number") {
    if (rest.length === 0) plain[step] = "";
    else remove(plain[step], rest);
  } else if (isMap(plain) && step !== undefined) {
    if (rest.length === 0) delete (plain as Record<string, unknown>)[step];
    else remove(plain[step], rest);
  }
}
