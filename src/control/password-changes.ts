/** What has changed in the files of passwords that `basicAuth` names: users are counted, and no hash is shown. */
import { effective, shownData } from "../config/print-config.ts";
import type { BasicAuthLink } from "../contract/hooking.ts";
import { nameOf } from "./changes.ts";
import type { ReadConfiguration } from "./read-configuration.ts";

/** One `basicAuth` with a file. */
interface PasswordFile {
  readonly file: string;
  /** Hashes by name, those that the configuration itself has included. */
  readonly users: ReadonlyMap<string, string>;
  /** Names that the configuration itself has. */
  readonly own: ReadonlySet<string>;
}

/** `basicAuth.file: users is another one: 1 user added, 2 removed`, for each that has the same name as before. */
export function passwordChanges(before: ReadConfiguration, after: ReadConfiguration): string[] {
  const old = filesOf(before);
  return [...filesOf(after)].flatMap(([path, now]) => {
    const then = old.get(path);
    if (then === undefined || then.file !== now.file) return [];
    const [was, is] = [hashesIn(then), hashesIn(now)];
    const counts = [
      [[...is.keys()].filter((name) => !was.has(name)).length, "added"],
      [[...is].filter(([name, hash]) => was.has(name) && was.get(name) !== hash).length, "changed"],
      [[...was.keys()].filter((name) => !is.has(name)).length, "removed"],
    ] as const;
    const [first, ...more] = counts.filter(([count]) => count > 0);
    if (first === undefined) return [];
    const users = `${first[0]} ${first[0] === 1 ? "user" : "users"} ${first[1]}`;
    return [
      [`${path}: ${now.file} is another one: ${users}`, ...more.map((each) => each.join(" "))].join(", "),
    ];
  });
}

function hashesIn({ users, own }: PasswordFile): Map<string, string> {
  return new Map([...users].filter(([name]) => !own.has(name)));
}

/** By the path of its key. */
function filesOf({ written, document }: ReadConfiguration): Map<string, PasswordFile> {
  const files = new Map<string, PasswordFile>();
  const add = (path: string, group: unknown, link: BasicAuthLink | null | undefined): void => {
    if (!isGroup(group) || typeof group.file !== "string" || link === null || link === undefined) return;
    const own = new Set(isGroup(group.users) ? Object.keys(group.users) : []);
    files.set(`${path}.file`, { file: group.file, users: new Map(link.users), own });
  };
  const data = shownData(effective(written, document)) as { basicAuth?: unknown; routes?: unknown };
  add("basicAuth", data.basicAuth, document.basicAuth);
  const routes: readonly unknown[] = Array.isArray(data.routes) ? data.routes : [];
  for (const [index, route] of routes.entries())
    if (isGroup(route))
      add(
        `routes[${nameOf(route) ?? index}].basicAuth`,
        route.basicAuth,
        document.routes?.[index]?.basicAuth,
      );
  return files;
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
