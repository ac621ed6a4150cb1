/** The key `compress`, of the whole and of a route. */
import type { CompressLink, ContentCoding } from "../contract/hooking.ts";
import { type Count, kind, open, orList, type Size } from "./kinds.ts";
import { isMap, type Plain, TOKEN, unknownKey } from "./routes-values.ts";
import { Problem, readBytes, readInteger } from "./values.ts";

/** A switch, or what is to be different. */
export type CompressInput = boolean | "on" | "off" | CompressMap;

export interface CompressMap {
  /** In order of preference. */
  readonly encodings?: string | readonly ContentCoding[];
  /** Media types in place of the usual ones: `text/html`, `text/*`, `*+json`. */
  readonly types?: string | readonly string[];
  readonly minSize?: Size;
  readonly level?: Readonly<Partial<Record<ContentCoding, Count>>>;
  /** Whether responses are compressed that may hold secrets (CVE-2013-3587). */
  readonly secrets?: "skip" | "allow";
}

const KEYS = ["encodings", "types", "minSize", "level", "secrets"] as const;
const CODINGS = ["zstd", "br", "gzip"] as const;
/** Bounds of levels: beyond them compressors take much more time or memory for each body. */
const LEVELS_MAX: Readonly<Record<ContentCoding, number>> = { gzip: 9, br: 11, zstd: 9 };
const LEVELS: Readonly<Record<ContentCoding, number>> = { gzip: 5, br: 4, zstd: 3 };
const MIN_SIZE = 1024;
const MIN_SIZE_MAX = 2 ** 30;
/** Media types whose content shrinks. */
const TYPES: readonly string[] = [
  "text/*",
  "*+json",
  "*+xml",
  "application/json",
  "application/javascript",
  "application/x-javascript",
  "application/xml",
  "application/x-ndjson",
  "application/wasm",
  "application/vnd.ms-fontobject",
  "font/otf",
  "font/ttf",
];

/** Null: it is switched off. */
function readCompress(written: unknown): CompressLink | null | Problem {
  if (written === false || written === "off" || written === "false") return null;
  const isOn = written === true || written === "on" || written === "true";
  if (!isOn && !isMap(written)) return new Problem("is not a switch", `write on, off, or ${KEYS.join(", ")}`);
  const map: Plain = isMap(written) ? written : {};
  const unknown = unknownKey(map, KEYS);
  if (unknown !== undefined) return unknown;
  const encodings = readEncodings(map.encodings ?? CODINGS);
  if (encodings instanceof Problem) return encodings;
  const types = readTypes(map.types ?? TYPES);
  if (types instanceof Problem) return types;
  const bytesMin = readBytes(String(map.minSize ?? MIN_SIZE), 0, MIN_SIZE_MAX);
  if (bytesMin instanceof Problem)
    return new Problem(`has a minSize that ${bytesMin.reason}`, bytesMin.remedy);
  const levels = readLevels(map.level ?? {}, encodings);
  if (levels instanceof Problem) return levels;
  const { secrets = "skip" } = map;
  if (secrets !== "skip" && secrets !== "allow")
    return new Problem("has secrets that are no choice", "write skip or allow");
  return { kind: "compress", encodings, types, bytesMin, levels, secrets };
}

/** The parts of a list, or of a text with commas; undefined for anything else. */
function listOf(written: unknown): string[] | undefined {
  const list: unknown = typeof written === "string" ? written.split(",") : written;
  if (!Array.isArray(list) || !list.every((each) => typeof each === "string")) return undefined;
  return (list as string[]).map((each) => each.trim()).filter((each) => each !== "");
}

function readEncodings(written: unknown): ContentCoding[] | Problem {
  const remedy = `write some of ${orList(CODINGS)}, the best first`;
  const list = listOf(written);
  if (list === undefined || list.length === 0) return new Problem("has no list of encodings", remedy);
  const wrong = list.find((each) => !CODINGS.includes(each as ContentCoding));
  if (wrong !== undefined)
    return new Problem(`has under encodings ${JSON.stringify(wrong)}, which is none of ours`, remedy);
  return [...new Set(list as ContentCoding[])];
}

function readTypes(written: unknown): string[] | Problem {
  const remedy = "write media types, like [text/html, text/*, '*+json']";
  const list = listOf(written)?.map((each) => each.toLowerCase());
  if (list === undefined || list.length === 0) return new Problem("has no list of types", remedy);
  for (const type of list) {
    const quoted = JSON.stringify(type);
    if (type === "text/event-stream")
      return new Problem(
        `has under types ${quoted}, whose pieces must not wait`,
        "leave it out: it is never compressed",
      );
    if (!isTypePattern(type)) return new Problem(`has under types ${quoted}, which is no media type`, remedy);
  }
  return list;
}

function isTypePattern(text: string): boolean {
  if (text.startsWith("*+")) return TOKEN.test(text.slice(2)) && !text.slice(2).includes("*");
  const [type = "", subtype = "", ...more] = text.split("/");
  if (more.length > 0 || type.includes("*") || !TOKEN.test(type)) return false;
  return subtype === "*" || (TOKEN.test(subtype) && !subtype.includes("*"));
}

function readLevels(
  written: unknown,
  encodings: readonly ContentCoding[],
): Record<ContentCoding, number> | Problem {
  if (!isMap(written)) return new Problem("has no levels by encoding", "write them like {gzip: 5, br: 4}");
  const unknown = unknownKey(written, CODINGS);
  if (unknown !== undefined) return new Problem(`under level ${unknown.reason}`, unknown.remedy);
  const levels = { ...LEVELS };
  for (const coding of CODINGS) {
    if (written[coding] === undefined) continue;
    if (!encodings.includes(coding))
      return new Problem(
        `has a level of ${coding}, which encodings leaves out`,
        "leave it out, or add it there",
      );
    const level = readInteger(String(written[coding]), coding === "br" ? 0 : 1, LEVELS_MAX[coding]);
    if (level instanceof Problem)
      return new Problem(`has a level of ${coding} that ${level.reason}`, level.remedy);
    levels[coding] = level;
  }
  return levels;
}

/** `text` says what it is about. */
export function compress(group: string, text: string) {
  return open({
    schema: kind<CompressInput, CompressLink | null>(readCompress),
    words: {
      group,
      value: "on|off",
      text,
      danger:
        "Costs CPU time and memory for each response. secrets: allow lets lengths tell of secrets (BREACH).",
      json: { anyOf: [{ type: "boolean" }, { enum: ["on", "off"] }, { type: "object" }] },
    },
  });
}
