/**
 * Who may come in: addresses (`allow`, `deny`) and passwords (`auth_basic`).
 *
 * What cannot be checked here is closed: its route stands as it would without the guard, but denies everybody, so
 * that one key is to be replaced.
 */
import { statSync } from "node:fs";
import path from "node:path";
import { readText } from "../config/read-text.ts";
import { readBasicAuth } from "../config/route-auth.ts";
import { Problem, readNetwork } from "../config/values.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import type { DraftAction, DraftBasicAuth } from "./route-draft.ts";
import type { Scope } from "./scope.ts";
import type { Settings } from "./settings.ts";
import { hasVariable } from "./variables.ts";

/** Keys of a route that keep others out. */
export type DraftGuards = Pick<DraftAction, "allow" | "deny" | "basicAuth">;

export interface GuardTools {
  readonly findings: Findings;
  readonly settings: Settings;
  /** What relative names of files are relative to. */
  readonly folder: string;
}

const EVERYBODY = ["0.0.0.0/0", "::/0"];
const NOBODY_PASSES: DraftGuards = { deny: EVERYBODY };
/** Guards that have no counterpart. */
const FOREIGN = ["auth_request", "auth_jwt", "auth_digest"];
const FILE_BYTES_MAX = 2 ** 20;
const NAMES_MAX = 3;
const MORE = "…";
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

/** The guard of `scope` that has no counterpart. */
export function foreignGuard(scope: Scope): Directive | undefined {
  return FOREIGN.map((name) => scope.last(name)).find((each) => each !== undefined && !isOff(each));
}

/** The keys that guard `scope`; none where everybody may come in. */
export function guardsOf(scope: Scope, tools: GuardTools): DraftGuards {
  const password = scope.last("auth_basic");
  const hasPassword = password !== undefined && !isOff(password);
  const addresses = addressGuards(scope, hasPassword, tools);
  if (!hasPassword) return addresses;
  // A path beside it that is open must not lead in.
  tools.settings.guardsPaths = true;
  warnOfPaths(scope, password, tools.findings);
  const basicAuth = basicAuthOf(password, scope, tools);
  return basicAuth === undefined ? NOBODY_PASSES : { ...addresses, basicAuth };
}

/** Nobody may come in where nothing is proxied: there is no backend for those who may. */
export function isClosed(scope: Scope, tools: GuardTools): boolean {
  const password = scope.last("auth_basic");
  if (password !== undefined && !isOff(password)) {
    tools.settings.guardsPaths = true;
    tools.findings.warn(password, "guards what is not served here: it is closed (403)");
    return true;
  }
  return addressGuards(scope, false, tools).deny === EVERYBODY;
}

/** Both guard the same requests. */
export function bothGuards(outer: DraftGuards, inner: DraftGuards): DraftGuards {
  const { allow } = outer;
  if (outer.deny === EVERYBODY || inner.deny === EVERYBODY) return NOBODY_PASSES;
  if (allow !== undefined && inner.allow !== undefined && allow.join() !== inner.allow.join())
    return NOBODY_PASSES;
  if (outer.basicAuth !== undefined && inner.basicAuth !== undefined) {
    if (outer.basicAuth.file !== inner.basicAuth.file) return NOBODY_PASSES;
  }
  const deny = [...new Set([...(outer.deny ?? []), ...(inner.deny ?? [])])];
  return { ...inner, ...outer, ...(deny.length > 0 ? { deny } : {}) };
}

function isOff({ words }: Directive): boolean {
  return words[0] === "off";
}

const GUARDED_PATH =
  "guards a path, and paths are compared as sent: policy.rejectPaths refuses /x/.. and %2F, but /%61 is not /a";

function warnOfPaths({ directive }: Scope, guard: Directive, findings: Findings): void {
  const isAboutPaths = directive?.name === "location" && directive.words.at(-1) !== "/";
  if (isAboutPaths) findings.warn(guard, GUARDED_PATH, "guarded path");
}

const UNKNOWN_CLIENT =
  "is about addresses that set_real_ip_from finds, and these are not known here: what it guards is closed (403)";

/** The first rule that fits counts in nginx; here `deny` comes before `allow`. */
function addressGuards(scope: Scope, hasPassword: boolean, { findings, settings }: GuardTools): DraftGuards {
  const allow: string[] = [];
  const deny: string[] = [];
  const rules = scope.inherited("allow", "deny");
  let isClosed = false;
  for (const directive of rules) {
    const [network = ""] = directive.words;
    if (network === "all") {
      isClosed = directive.name === "deny";
      break;
    }
    if (network === "unix:" || readNetwork(network) instanceof Problem) {
      findings.warn(directive, "is about no network and is left out");
      continue;
    }
    if (directive.name === "deny" && allow.length > 0)
      findings.warn(directive, "stands behind an allow; here deny comes first, whoever was allowed before");
    (directive.name === "allow" ? allow : deny).push(network);
  }
  const satisfy = scope.last("satisfy");
  if (satisfy?.words[0] === "any") {
    const what = hasPassword ? "both addresses and passwords count" : "addresses count alone";
    findings.warn(satisfy, `has no counterpart; ${what}`);
  }
  const isGuarded = allow.length > 0 || deny.length > 0 || isClosed;
  const first = rules[0];
  if ((allow.length > 0 || deny.length > 0) && settings.clients.isLost(scope)) {
    settings.guardsPaths = true;
    findings.warn(first!, UNKNOWN_CLIENT);
    return NOBODY_PASSES;
  }
  if (first !== undefined && isGuarded && scope.directive?.name === "location") {
    if (scope.directive.words.at(-1) !== "/") settings.guardsPaths = true;
    warnOfPaths(scope, first, findings);
  }
  if (isClosed && allow.length === 0) return NOBODY_PASSES;
  return {
    ...(isClosed ? { allow } : {}),
    ...(deny.length > 0 ? { deny } : {}),
  };
}

/** Undefined: its passwords cannot be checked here, and that was told. */
function basicAuthOf(
  directive: Directive,
  scope: Scope,
  { findings, folder }: GuardTools,
): DraftBasicAuth | undefined {
  const written = directive.words[0] ?? "";
  const isRealm = REALM.test(written) && !hasVariable(written);
  const realm = isRealm ? written : "Restricted";
  const named = scope.last("auth_basic_user_file")?.words[0] ?? "";
  const file = path.resolve(folder, named);
  const wrong = named === "" ? { why: "names no auth_basic_user_file" } : wrongIn(named, file);
  if (wrong !== undefined) {
    const { why, names = ["NAME"] } = wrong;
    const users = names.map((name) => (name === MORE ? MORE : `${name}: HASH`)).join(", ");
    const remedy = `write basicAuth: { realm: ${realm}, users: { ${users} } } in place of that deny`;
    const text = `${why}; what it guards is closed (deny): ${remedy}, with hashes of hp-proxy hash-password`;
    findings.warn(directive, text);
    return undefined;
  }
  if (!isRealm) findings.warn(directive, "has no realm that can be written here; it is Restricted");
  const isHidden = scope
    .inherited("proxy_set_header")
    .some(({ words }) => words[0]?.toLowerCase() === "authorization");
  // nginx passes the field on.
  return { realm, file, ...(isHidden ? {} : { forward: "on" }) };
}

interface Wrong {
  readonly why: string;
  /** Of users, the first of them. */
  readonly names?: readonly string[];
}

/** What is wrong with the file of users; undefined: its passwords can be checked here. */
function wrongIn(named: string, file: string): Wrong | undefined {
  if (hasVariable(named)) return { why: "names a file with a variable" };
  let text: string;
  try {
    const stat = statSync(file);
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) return { why: `${named} is no file of users` };
    text = readText(file);
  } catch (error) {
    return { why: `${named} cannot be read here (${(error as NodeJS.ErrnoException).code})` };
  }
  if (!(readBasicAuth({ file }) instanceof Problem)) return undefined;
  const lines = text.split(/\r?\n/).filter((line) => line.includes(":") && !line.startsWith("#"));
  if (lines.length === 0) return { why: `${named} has no users` };
  const kinds = [...new Set(lines.map((line) => hashKind(line.slice(line.indexOf(":") + 1))))];
  const names = lines
    .map((line) => line.slice(0, line.indexOf(":")))
    .filter((name) => /^[\w.-]+$/.test(name));
  const shown = [...names.slice(0, NAMES_MAX), ...(names.length > NAMES_MAX ? [MORE] : [])];
  const why = `${named} has passwords that cannot be checked here (${kinds.join(", ")})`;
  return names.length > 0 ? { why, names: shown } : { why };
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, "apr1"],
  [/^\$2[abxy]?\$/, "bcrypt"],
  [/^\$1\$/, "MD5 crypt"],
  [/^\$5\$/, "SHA-256 crypt"],
  [/^\$6\$/, "SHA-512 crypt"],
  [/^\$y\$/, "yescrypt"],
  [/^\$scrypt\$/, "scrypt"],
  [/^\{S?SHA\}/, "SHA-1"],
  [/^\{PLAIN\}/, "plain text"],
];

function hashKind(hash: string): string {
  return KINDS.find(([pattern]) => pattern.test(hash))?.[1] ?? "crypt";
}
