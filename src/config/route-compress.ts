/** The key `compress`, of the whole and of a route. */
import type { CompressLink, ContentCoding } from "../contract/hooking.ts";
import { type Count, kind, open, orList, type Size } from "./kinds.ts";
import { isMap, Parts } from "./parts.ts";
import { TOKEN } from "./routes-values.ts";
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
  const parts = new Parts(written, KEYS);
  const encodings = parts.list("encodings", CODINGS, "[br, gzip]", readCoding, true);
  const types = parts.list("types", TYPES, "[text/html]", readType, true);
  const bytesMin = parts.read("minSize", String(MIN_SIZE), (text) => readBytes(text, 0, MIN_SIZE_MAX));
  const levels = parts.take(["level"], readLevels(parts.map.level ?? {}, encodings)) ?? LEVELS;
  const secrets = parts.read("secrets", "skip", (text) =>
    text === "skip" || text === "allow" ? text : new Problem("is not a choice", "write skip or allow"),
  );
  return parts.result({
    kind: "compress",
    encodings: [...new Set(encodings)],
    types,
    bytesMin,
    levels,
    secrets,
  });
}

function readCoding(text: string): ContentCoding | Problem {
  const known = CODINGS.find((coding) => coding === text);
  return known ?? new Problem("is not a choice", `write some of ${orList(CODINGS)}, the best first`);
}

function readType(text: string): string | Problem {
  const type = text.toLowerCase();
  if (type === "text/event-stream")
    return new Problem("is what must not wait", "leave it out: it is never compressed");
  const remedy = "write media types, like [text/html, text/*, '*+json']";
  return isTypePattern(type) ? type : new Problem("is not a media type", remedy);
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
  if (!isMap(written)) return new Problem("is not a group of keys", "write levels like {gzip: 5, br: 4}");
  const parts = new Parts(written, CODINGS);
  const levels = { ...LEVELS };
  for (const coding of CODINGS) {
    const min = coding === "br" ? 0 : 1;
    const level = parts.optional(coding, (text) => readInteger(text, min, LEVELS_MAX[coding]));
    if (level !== undefined) levels[coding] = level;
    if (level !== undefined && encodings.length > 0 && !encodings.includes(coding))
      parts.refuse([coding], "is the level of what encodings leaves out", "leave it out, or add it there", {
        isKey: true,
      });
  }
  return parts.result(levels);
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
