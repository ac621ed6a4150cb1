/** The one question that content negotiation asks here (RFC 9110 §12.5.1): JSON, or plain text? */

/** How well a type is accepted: by weight, then by how exactly it is named, then by how early. */
interface Rank {
  readonly weight: number;
  /** 2: by its name; 1: `type/*`; 0: anything. */
  readonly exactness: number;
  readonly index: number;
}

const REFUSED: Rank = { weight: 0, exactness: -1, index: 0 };
/** Who sends many is after our time: what is beyond the first so many is not looked at. */
const RANGES_MAX = 32;
const PARAMETERS_MAX = 8;
const WEIGHT = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * Whether `accept`, the value of an Accept field, puts `application/json` before `text/plain`. What cannot be
 * read is skipped; without a preference it is plain text.
 */
export function prefersJson(accept: string): boolean {
  if (accept === "") return false;
  const ranges = accept.split(",", RANGES_MAX).map(readRange);
  const json = rankOf(["application/json", "application/*", "*/*"], ranges);
  const text = rankOf(["text/plain", "text/*", "*/*"], ranges);
  if (json.weight === 0) return false;
  if (json.weight !== text.weight) return json.weight > text.weight;
  if (json.exactness !== text.exactness) return json.exactness > text.exactness;
  return json.index < text.index;
}

interface MediaRange {
  readonly name: string;
  readonly weight: number;
}

function readRange(element: string): MediaRange {
  const parts = element.split(";", PARAMETERS_MAX);
  const [name = "", ...parameters] = parts.map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
  return { name: WEIGHT.test(weight) ? name : "", weight: Number(weight) };
}

/** The most exact range decides, whatever its weight (RFC 9110 §12.5.1). `names` go from exact to wide. */
function rankOf(names: readonly string[], ranges: readonly MediaRange[]): Rank {
  for (const [wideness, name] of names.entries()) {
    const index = ranges.findIndex((range) => range.name === name);
    if (index >= 0) return { weight: ranges[index]!.weight, exactness: 2 - wideness, index };
  }
  return REFUSED;
}
