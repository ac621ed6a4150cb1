/** Names for the calls of hooks that workers note by number. */
import { linkName } from "../contract/hooking.ts";
import { Moment } from "../contract/interception.ts";
import { hookCallOf } from "../contract/liveness.ts";
import type { Snapshot } from "../contract/snapshot.ts";

/** A call of a hook, for people. */
export interface NamedCall {
  /** The function: `onRequest`. */
  readonly hook: string;
  /** As in `HookNotice`. */
  readonly source: string;
  /** Where the function is written; absent where that is no file. */
  readonly file?: string;
  /** Routes with that chain of hooks; the call was for one of them. None: for any request. */
  readonly routes: readonly string[];
  /** Whether it was the last call, and has returned. */
  readonly isOver: boolean;
}

/** Exchanges go on with the hooks that they began with. */
const VERSIONS_MAX = 8;

export class HookNames {
  /** The last snapshot with each version of the hooks. */
  readonly #snapshots = new Map<number, Snapshot>();

  /** Workers follow it now, or will. */
  know(snapshot: Snapshot): void {
    const version = snapshot.hooking?.version;
    if (version === undefined) return;
    this.#snapshots.set(version, snapshot);
    const [oldest] = this.#snapshots.keys();
    if (this.#snapshots.size > VERSIONS_MAX) this.#snapshots.delete(oldest!);
  }

  /** What `Sign.hookCall` says; undefined: no call is known. */
  find(cell: number): NamedCall | undefined {
    const call = hookCallOf(cell);
    const snapshot = call === null ? undefined : this.#snapshots.get(call.version);
    const link = snapshot?.hooking?.chains[call!.chain]?.[call!.link];
    if (call === null || link === undefined) return undefined;
    const isFile = link.kind === "code" && "file" in link.source;
    const routes = snapshot?.routing?.routes.filter(({ chain }) => chain === call.chain) ?? [];
    return {
      hook: hookNameOf(call.moment),
      source: linkName(link),
      ...(isFile ? { file: link.source.file } : {}),
      routes: routes.map(({ name }) => name),
      isOver: call.isOver,
    };
  }
}

/** `onRequest` for `Moment.request`. */
function hookNameOf(moment: number): string {
  const word = Object.entries(Moment).find(([, bit]) => bit === moment)?.[0] ?? "";
  return `on${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}
