/** The effective configuration: what was written and every default, as YAML with sources, or as plain data. */
import { clusterIndex, clustersOf, type DocumentCluster } from "./check.ts";
import { hooksText, isFoundHooks } from "./hook-objects.ts";
import { escapeVariables } from "./interpolate.ts";
import { KEYS } from "./keys.ts";
import { type KeyText, splitList } from "./kinds.ts";
import { at, isList, isMap, type Located, type Path, placeText, plainOf } from "./located.ts";
import type { Document } from "./schema.ts";

/** A value with where it comes from; lists and maps of such. */
export type Shown =
  | { readonly kind: "value"; readonly value: unknown; readonly source: string }
  | { readonly kind: "list"; readonly items: readonly Shown[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [name: string, shown: Shown])[] };

const DEFAULT = "default";

/**
 * All keys that have a value, in the order of the schema. `written` is what `document` was made of. Read again,
 * it means the same.
 */
export function effective(written: Located, document: Document): Shown {
  const entries: [string, Shown][] = [["listen", listenersShown(written, document)]];
  entries.push(["clusters", clustersShown(written, document)]);
  for (const { path, text } of KEYS) {
    const [group, name, ...more] = path;
    if (["listen", "backends", "clusters", "health", "$schema", "include"].includes(group!)) continue;
    const shown = keyShown(written, [path], text);
    if (shown === undefined || more.length > 0) continue;
    if (name === undefined) {
      entries.push([group!, shown]);
      continue;
    }
    const known = entries.find(([each]) => each === group)?.[1];
    if (known?.kind === "map") (known.entries as [string, Shown][]).push([name, shown]);
    else entries.push([group!, { kind: "map", entries: [[name, shown]] }]);
  }
  return { kind: "map", entries };
}

function listenersShown(written: Located, document: Document): Shown {
  const clusters = clustersOf(document);
  const items = (document.listen ?? [undefined]).map((listener, index): Shown => {
    const node = at(written, ["listen", index]) ?? at(written, ["listen"]);
    const source = node === undefined ? DEFAULT : placeText(node.place);
    const isIpv6 = listener?.host.includes(":") === true;
    const host = isIpv6 ? `[${listener.host}]` : (listener?.host ?? "");
    const value = `${host}:${listener?.port ?? 8080}`;
    const named = node === undefined || !isMap(node.content) ? undefined : node.content.get("cluster");
    const address: [string, Shown] = ["address", { kind: "value", value, source }];
    const cluster = clusters[clusterIndex(clusters, listener?.cluster)]?.name;
    // Where routes decide, a listener may have none.
    if (cluster === undefined) return { kind: "map", entries: [address] };
    const clusterSource = named === undefined ? DEFAULT : placeText(named.place);
    return {
      kind: "map",
      entries: [address, ["cluster", { kind: "value", value: cluster, source: clusterSource }]],
    };
  });
  return { kind: "list", items };
}

function clustersShown(written: Located, document: Document): Shown {
  const health = KEYS.filter(({ path }) => path[0] === "health");
  const shown = ({ name, path }: DocumentCluster): [string, Shown] => {
    const own: Path = ["clusters", name, "health"];
    const checks = health.flatMap(({ path: key, text }): [string, Shown][] => {
      const each = keyShown(written, [[...own, key[1]!], key], text);
      return each === undefined ? [] : [[key[1]!, each]];
    });
    const backends = listShown(at(written, path)!);
    return [
      name,
      {
        kind: "map",
        entries: [
          ["backends", backends],
          ["health", { kind: "map", entries: checks }],
        ],
      },
    ];
  };
  return { kind: "map", entries: clustersOf(document).map(shown) };
}

/** The first of `paths` that is written, else the default; undefined where there is none. */
function keyShown(written: Located, paths: readonly Path[], text: KeyText): Shown | undefined {
  const node = paths.map((path) => at(written, path)).find((each) => each !== undefined);
  if (node === undefined) {
    if (text.list === true) return { kind: "list", items: [] };
    const isSilent = text.initial === undefined;
    return isSilent ? undefined : { kind: "value", value: typed(text.initial, text), source: DEFAULT };
  }
  if (text.list === true) return listShown(node);
  if (isMap(node.content) || isList(node.content)) return treeShown(node);
  return { kind: "value", value: typed(plainOf(node), text), source: placeText(node.place) };
}

/** What is written there, whatever it is. */
function treeShown({ content, place }: Located): Shown {
  if (isList(content)) return { kind: "list", items: content.map(treeShown) };
  if (!isMap(content)) {
    const value = isFoundHooks(content.value) ? hooksText(content.value) : content.value;
    return { kind: "value", value, source: placeText(place) };
  }
  return { kind: "map", entries: [...content].map(([name, node]) => [name, treeShown(node)]) };
}

/** Numbers as numbers, also those of flags and variables. */
function typed(value: unknown, { value: placeholder }: KeyText): unknown {
  const isNumber = /^(?:N|SIZE|TIME)\b/.test(placeholder) && typeof value === "string" && /^\d+$/.test(value);
  return isNumber ? Number(value) : value;
}

function listShown(node: Located): Shown {
  const source = placeText(node.place);
  if (isList(node.content)) {
    const items = node.content.map((item): Shown => {
      return { kind: "value", value: plainOf(item), source: placeText(item.place) };
    });
    return { kind: "list", items };
  }
  const items = splitList(String(plainOf(node))).map((value): Shown => {
    return { kind: "value", value: value.trim(), source };
  });
  return { kind: "list", items };
}

/** As plain data, which JSON can hold. */
export function shownData(shown: Shown): unknown {
  if (shown.kind === "list") return shown.items.map(shownData);
  if (shown.kind === "map")
    return Object.fromEntries(shown.entries.map(([name, each]) => [name, shownData(each)]));
  return typeof shown.value === "string" ? escapeVariables(shown.value) : shown.value;
}

/** As YAML; behind each value a comment says where it comes from. */
export function shownYaml(shown: Shown, indent = ""): string {
  if (shown.kind === "value") return `${scalarYaml(shown.value)}  # ${shown.source}\n`;
  if (shown.kind === "list") {
    // The first line of an item stands behind its hyphen.
    const items = shown.items.map((item) => `${indent}- ${shownYaml(item, `${indent}  `).trimStart()}`);
    return items.join("");
  }
  if (shown.entries.length === 0) return `${indent}{}\n`;
  const lines = shown.entries.map(([name, each]) => {
    const key = `${indent}${nameYaml(name)}:`;
    if (each.kind === "value") return `${key} ${shownYaml(each)}`;
    const isEmpty = each.kind === "list" ? each.items.length === 0 : each.entries.length === 0;
    if (isEmpty) return `${key} ${each.kind === "list" ? "[]" : "{}"}  # ${DEFAULT}\n`;
    return `${key}\n${shownYaml(each, `${indent}  `)}`;
  });
  return lines.join("");
}

/** Variables have no meaning in names. */
function nameYaml(name: string): string {
  return /^[A-Za-z][\w.-]*$/.test(name) && !WORD.test(name) ? name : JSON.stringify(name);
}

/** Texts that YAML takes for something else, or took in its version 1.1. */
const WORD = /^(?:true|false|null|on|off|yes|no)$/i;

function scalarYaml(value: unknown): string {
  if (typeof value !== "string") return String(value);
  const text = escapeVariables(value);
  // Whatever YAML could take for something else stands in quotes, as JSON writes them.
  const isPlain = /^(?:[A-Za-z/](?:[\w./:-]*[\w/])?|\d+(?:\.\d+)?[A-Za-z]+)$/.test(text);
  return isPlain && !WORD.test(text) ? text : JSON.stringify(text);
}
