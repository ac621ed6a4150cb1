/**
 * Finds the route of a request: routes compiled to tables.
 *
 * Strategy: routes with host and path in common are a *bucket*; buckets are numbered in the order in which they
 * are asked (`order.ts`), and so are the routes of each. The host gives a few patterns, the most specific
 * first. Under each, exact paths are one hash lookup; templates and prefixes share one tree of segments, whose
 * edges lie in one hash table; regular expressions are tried one by one. So the cost depends on how deep the
 * path follows patterns, not on how many routes there are. The first route whose conditions hold is the one.
 *
 * @hot
 */
import { asciiBytes } from "../base/bytes.ts";
import type { Route } from "../contract/routing.ts";
import type { MessageHead } from "../http1/message-head.ts";
import { ByteTable, type TableKey } from "./byte-table.ts";
import { Conditions } from "./conditions.ts";
import { HostTable } from "./host-table.ts";
import { conditionCount, type Entry, entriesInOrder } from "./order.ts";
import { segmentEnd, segmentsOf, shapeOf } from "./path-pattern.ts";
import { Regex } from "./regex.ts";
import { RequestView } from "./request-view.ts";

/** No route matches. */
export const NO_ROUTE = -1;

const NONE = -1;

interface RegexEntry {
  readonly regex: Regex;
  readonly bucket: number;
}

export class RouteTable {
  /** Parts of the request that was last looked up. */
  readonly view = new RequestView();
  readonly #hosts: HostTable;
  /** Routes of all buckets; bucket `b` is `[starts[b], starts[b + 1])`. */
  readonly #routes: Int32Array;
  readonly #starts: Int32Array;
  /** By route; null: none. */
  readonly #conditions: readonly (Conditions | null)[];
  /** Bucket by host and path. */
  readonly #exact: ByteTable;
  readonly #tree: SegmentTree;
  /** By host. */
  readonly #hasExact: Uint8Array;
  readonly #roots: Int32Array;
  readonly #regexes: readonly (readonly RegexEntry[])[];
  readonly #anyPath: Int32Array;

  /** `seed`: any number, of which other workers have another. */
  constructor(routes: readonly Route[], seed: number) {
    const entries = entriesInOrder(routes);
    const hosts = [...new Set(entries.map(({ host }) => host))];
    const buckets = bucketsOf(entries);
    const hostOf = new Map(hosts.map((host, index) => [host, index]));
    const tree = new TreeBuilder();
    const exact: TableKey[] = [];
    const regexes: RegexEntry[][] = hosts.map(() => []);
    this.#hasExact = new Uint8Array(hosts.length);
    this.#roots = new Int32Array(hosts.length).fill(NONE);
    this.#anyPath = new Int32Array(hosts.length).fill(NONE);
    for (const [bucket, [entry]] of buckets.entries()) {
      const { host, path } = entry!;
      const owner = hostOf.get(host)!;
      if (path.kind === "exact") {
        this.#hasExact[owner] = 1;
        exact.push({ owner, bytes: asciiBytes(path.text), value: bucket });
      } else if (path.kind === "regex") regexes[owner]!.push({ regex: new Regex(path.text), bucket });
      else if (path.kind === "any") this.#anyPath[owner] = bucket;
      else {
        if (this.#roots[owner] === NONE) this.#roots[owner] = tree.node();
        tree.add(this.#roots[owner]!, path.kind, path.text, bucket);
      }
    }
    this.#hosts = new HostTable(seed, hosts);
    this.#exact = new ByteTable(seed, exact);
    this.#tree = new SegmentTree(seed, tree);
    this.#regexes = regexes;
    this.#routes = Int32Array.from(entries, ({ route }) => route);
    const starts = [0];
    for (const bucket of buckets) starts.push(starts.at(-1)! + bucket.length);
    this.#starts = Int32Array.from(starts);
    this.#conditions = routes.map((route) => (conditionCount(route) === 0 ? null : new Conditions(route)));
  }

  /**
   * Index of the route for the request with `head`, which was parsed in `memory`; or `NO_ROUTE`. `address`: the
   * peer's 16 bytes; null where it has none (a unix socket) or no route asks for it. Sets `view`.
   */
  match(memory: Uint8Array, head: MessageHead, address: Uint8Array | null): number {
    const view = this.view;
    const hosts = this.#hosts;
    view.read(memory, head);
    hosts.find(memory, view.hostStart, view.hostEnd);
    for (let i = 0; i < hosts.count; i++) {
      const route = this.#matchPath(hosts.found[i]!, memory, head, address);
      if (route !== NO_ROUTE) return route;
    }
    return NO_ROUTE;
  }

  #matchPath(host: number, memory: Uint8Array, head: MessageHead, address: Uint8Array | null): number {
    const { pathStart, pathEnd } = this.view;
    if (pathStart >= 0) {
      if (this.#hasExact[host] !== 0) {
        const bucket = this.#exact.find(host, memory, pathStart, pathEnd);
        const route = this.#first(bucket, memory, head, address);
        if (route !== NO_ROUTE) return route;
      }
      if (this.#roots[host] !== NONE) {
        const tree = this.#tree;
        tree.find(this.#roots[host]!, memory, pathStart, pathEnd);
        // Buckets have the numbers of their order, and templates come before prefixes.
        for (let i = 0; i < tree.count; i++) {
          const route = this.#first(tree.found[i]!, memory, head, address);
          if (route !== NO_ROUTE) return route;
        }
      }
      const regexes = this.#regexes[host]!;
      for (let i = 0; i < regexes.length; i++) {
        const { regex, bucket } = regexes[i]!;
        if (!regex.test(memory, pathStart, pathEnd)) continue;
        const route = this.#first(bucket, memory, head, address);
        if (route !== NO_ROUTE) return route;
      }
    }
    return this.#first(this.#anyPath[host]!, memory, head, address);
  }

  /** The first route of `bucket` (-1: none) whose conditions hold. */
  #first(bucket: number, memory: Uint8Array, head: MessageHead, address: Uint8Array | null): number {
    if (bucket === NONE) return NO_ROUTE;
    const end = this.#starts[bucket + 1]!;
    for (let at = this.#starts[bucket]!; at < end; at++) {
      const route = this.#routes[at]!;
      const conditions = this.#conditions[route]!;
      if (conditions === null || conditions.hold(memory, head, this.view, address)) return route;
    }
    return NO_ROUTE;
  }
}

/** Entries with host and path in common, in their order. @cold */
function bucketsOf(entries: readonly Entry[]): Entry[][] {
  const buckets: Entry[][] = [];
  for (const entry of entries) {
    const last = buckets.at(-1);
    const first = last?.[0];
    const isSame =
      first !== undefined && first.host === entry.host && shapeOf(first.path) === shapeOf(entry.path);
    if (isSame) last!.push(entry);
    else buckets.push([entry]);
  }
  return buckets;
}

/** Puts the tree together. */
class TreeBuilder {
  readonly edges: TableKey[] = [];
  /** By node: the child that any segment leads to; buckets of a template that ends here, of one with a tail
   * from here on, and of a prefix. */
  readonly one: number[] = [];
  readonly end: number[] = [];
  readonly rest: number[] = [];
  readonly prefix: number[] = [];
  readonly #children = new Map<string, number>();

  /** A new node. @cold */
  node(): number {
    this.one.push(NONE);
    this.end.push(NONE);
    this.rest.push(NONE);
    return this.prefix.push(NONE) - 1;
  }

  /** @cold */
  add(root: number, kind: "template" | "prefix", text: string, bucket: number): void {
    let node = root;
    for (const segment of segmentsOf(text)) {
      if (segment.kind === "rest" && kind === "template") {
        this.rest[node] = bucket;
        return;
      }
      if (segment.kind === "one" && kind === "template") {
        if (this.one[node] === NONE) this.one[node] = this.node();
        node = this.one[node]!;
      } else node = this.#literal(node, kind === "prefix" ? rawText(segment) : segment.text);
    }
    if (kind === "prefix") this.prefix[node] = bucket;
    else this.end[node] = bucket;
  }

  /** @cold */
  #literal(node: number, text: string): number {
    const key = `${node} ${text}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      child = this.node();
      this.#children.set(key, child);
      this.edges.push({ owner: node, bytes: asciiBytes(text), value: child });
    }
    return child;
  }
}

/** In a prefix nothing is a parameter. @cold */
function rawText({ kind, text }: { kind: string; text: string }): string {
  if (kind === "literal") return text;
  return `${kind === "one" ? ":" : "*"}${text}`;
}

class SegmentTree {
  readonly #edges: ByteTable;
  readonly #one: Int32Array;
  readonly #end: Int32Array;
  readonly #rest: Int32Array;
  readonly #prefix: Int32Array;
  /** Nodes to be looked at, and where their segment begins; -1: nowhere, the path has ended. */
  readonly #nodes: Int32Array;
  readonly #positions: Int32Array;
  /** After `find`: buckets whose pattern matches, in their order. */
  readonly found: Int32Array;
  count = 0;

  constructor(seed: number, { edges, one, end, rest, prefix }: TreeBuilder) {
    this.#edges = new ByteTable(seed, edges);
    this.#one = Int32Array.from(one);
    this.#end = Int32Array.from(end);
    this.#rest = Int32Array.from(rest);
    this.#prefix = Int32Array.from(prefix);
    // Each node is met at most once, and has at most three buckets.
    this.#nodes = new Int32Array(one.length + 1);
    this.#positions = new Int32Array(one.length + 1);
    this.found = new Int32Array(3 * one.length + 1);
  }

  /** Finds the buckets below `root` whose pattern matches the path `memory[start, end)`. */
  find(root: number, memory: Uint8Array, start: number, end: number): void {
    const nodes = this.#nodes;
    const positions = this.#positions;
    this.count = 0;
    let open = 1;
    nodes[0] = root;
    positions[0] = start + 1;
    while (open > 0) {
      const node = nodes[--open]!;
      const pos = positions[open]!;
      this.#take(this.#prefix[node]!);
      if (pos < 0) {
        this.#take(this.#end[node]!);
        continue;
      }
      this.#take(this.#rest[node]!);
      const segmentStop = segmentEnd(memory, pos, end);
      const next = segmentStop < end ? segmentStop + 1 : -1;
      const any = this.#one[node]!;
      if (any !== NONE && segmentStop > pos) {
        nodes[open] = any;
        positions[open++] = next;
      }
      const child = this.#edges.find(node, memory, pos, segmentStop);
      if (child !== NONE) {
        nodes[open] = child;
        positions[open++] = next;
      }
    }
  }

  /** Adds `bucket` (-1: none) where it belongs. */
  #take(bucket: number): void {
    if (bucket === NONE) return;
    const { found } = this;
    let at = this.count++;
    while (at > 0 && found[at - 1]! > bucket) {
      found[at] = found[at - 1]!;
      at--;
    }
    found[at] = bucket;
  }
}
