/** Writes what an import has found as YAML, with the place of each part of it as a comment. */
import path from "node:path";
import { Document, isMap, isSeq, type Node, type YAMLMap } from "yaml";
import { escapeVariables } from "../config/interpolate.ts";
import type { ClusterDraft } from "./clusters.ts";
import { directiveText, placeOf } from "./findings.ts";
import { ROUTE_KEYS, type RouteDraft } from "./route-draft.ts";
import type { Plain } from "./settings.ts";

export interface ConfigurationDraft {
  readonly listen: readonly string[];
  readonly clusters: readonly ClusterDraft[];
  readonly routes: readonly RouteDraft[];
  /** More groups of keys; empty ones are not written. */
  readonly groups: Plain;
}

const FLOW_CHARACTERS_MAX = 100;

/** `file` is what it was made of. */
export function configurationYaml(file: string, draft: ConfigurationDraft): string {
  const { listen, clusters, routes, groups } = draft;
  const plain: Plain = { listen: listen.length === 1 ? listen[0] : listen };
  if (clusters.length > 0)
    plain.clusters = Object.fromEntries(clusters.map(({ name, backends }) => [name, { backends }]));
  plain.routes = routes.map(routeOf);
  // nginx asks no backend how it is; a connection that opens is the mildest question.
  if (clusters.length > 0) plain.health = { kind: "tcp" };
  for (const [name, group] of Object.entries(groups))
    if (typeof group !== "object" || Object.keys(group as object).length > 0) plain[name] = group;
  const document = new Document(withoutVariables(plain));
  document.commentBefore = ` Made of ${file} by hp-proxy import. Look at it before you run it:\n hp-proxy check, hp-proxy explain GET http://host/path`;
  const root = document.contents as YAMLMap;
  comment(
    root,
    "clusters",
    clusters.map(({ source }) => placeOf(source)),
  );
  comment(
    root,
    "routes",
    routes.map(({ source }) => `${placeOf(source)} ${directiveText(source)}`),
  );
  for (const key of ["policy", "compress"]) {
    const group = root.get(key);
    if (isMap(group)) for (const pair of group.items) flow(pair.value);
  }
  for (const key of [
    "clusters",
    "routes",
    "health",
    "workers",
    "timeouts",
    "limits",
    "compress",
    "policy",
    "log",
  ]) {
    const pair = root.items.find((each) => String(each.key) === key);
    if (pair !== undefined) (pair.key as Node).spaceBefore = true;
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function routeOf(route: RouteDraft): Plain {
  const plain: Plain = {};
  for (const key of ROUTE_KEYS) {
    const value = route[key];
    if (value === undefined) continue;
    plain[key] = key === "host" && Array.isArray(value) && value.length === 1 ? value[0] : value;
  }
  return plain;
}

/** Puts a comment before each item of a list, or behind each name of a map; small groups stand in one line. */
function comment(root: YAMLMap, key: string, texts: readonly string[]): void {
  const node = root.get(key);
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      (item as Node).commentBefore = ` ${texts[index]}`;
      if (isMap(item)) for (const pair of item.items) flow(pair.value);
    }
  } else if (isMap(node)) {
    for (const [index, pair] of node.items.entries()) {
      (pair.key as Node).commentBefore = ` ${texts[index]}`;
      flow(pair.value);
    }
  }
}

function flow(node: unknown): void {
  const isGroup = isMap(node) || isSeq(node);
  if (isGroup && JSON.stringify(node.toJSON(), named).length <= FLOW_CHARACTERS_MAX) node.flow = true;
}

/** For `JSON.stringify`: how deep somebody's folders are shall not decide about lines. */
function named(key: string, value: unknown): unknown {
  return key === "file" && typeof value === "string" ? path.basename(value) : value;
}

/** `${` would be a variable of the environment. */
function withoutVariables(value: unknown): unknown {
  if (typeof value === "string") return escapeVariables(value);
  if (Array.isArray(value)) return value.map(withoutVariables);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutVariables(each)]));
}
