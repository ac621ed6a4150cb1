/** The keys of a configuration as a list, read off its schema. */
import { nearest } from "../base/suggestion.ts";
import { type KeyText, keyTexts } from "./kinds.ts";
import type { Path } from "./located.ts";
import { documentSchema, type SectionText, sectionTexts } from "./schema.ts";

export interface Key {
  /** `["timeouts", "connect"]`; `NAME` and `[]` stand for any name and any index. */
  readonly path: readonly string[];
  readonly text: KeyText;
}

const ROOT: SectionText = { shape: documentSchema.shape, each: "", text: "" };

/** Every key with a value of its own, in the order of the schema. */
export const KEYS: readonly Key[] = keysOf(ROOT, []);

function keysOf({ shape }: SectionText, path: readonly string[]): Key[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const here = [...path, name];
    const text = keyTexts.get(schema);
    const section = sectionTexts.get(schema);
    const own = text === undefined ? [] : [{ path: here, text }];
    if (section === undefined) return own;
    const below = section.each === "" ? here : [...here, section.each];
    return [...own, ...keysOf(section, below)];
  });
}

/** Texts of the groups of keys by path: `clusters`, `timeouts`. */
export function sectionText(name: string): string {
  const schema: object | undefined = ROOT.shape[name];
  return (schema === undefined ? undefined : sectionTexts.get(schema)?.text) ?? "";
}

/** `timeouts.connect`, `clusters.NAME.backends`, `listen[].address`. */
export function keyText(path: readonly string[]): string {
  return path.join(".").replaceAll(".[]", "[]");
}

/** Keys that may stand in the map at `path`. */
export function keysAt(path: Path): string[] {
  let section: SectionText | undefined = ROOT;
  let index = 0;
  while (index < path.length && section !== undefined) {
    const schema: object | undefined = section.shape[String(path[index])];
    section = schema === undefined ? undefined : sectionTexts.get(schema);
    index += section === undefined || section.each === "" ? 1 : 2;
  }
  // In a map by name any name may stand.
  return index > path.length ? [] : Object.keys(section?.shape ?? {});
}

/** What was meant by the unknown `name` in the map at `path`: part of a sentence. */
export function suggestion(path: Path, name: string): string {
  const here = keysAt(path);
  const near = nearest(name, here);
  if (near !== "") return `did you mean ${near}?`;
  const elsewhere = KEYS.find(({ text, path: known }) => text.flag === name || known.at(-1) === name);
  if (elsewhere !== undefined) return `did you mean ${keyText(elsewhere.path)}?`;
  return `write one of ${here.filter((key) => key !== "$schema").join(", ")}`;
}
