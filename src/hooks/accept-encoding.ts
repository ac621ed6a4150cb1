/** Which content coding a response gets (RFC 9110 §12.5.3). */
import type { ContentCoding } from "../contract/hooking.ts";

/** A weight (RFC 9110 §12.4.2): up to three decimals. */
const WEIGHT = /^[Qq]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * The coding of `offered`, which are in order of preference, for a request with this Accept-Encoding (null: it has
 * none); "identity" where none of them is wanted.
 *
 * Where weights are equal the order of `offered` decides. `identity` wins only where its weight is greater than that of
 * all others. An element that is not well formed counts as absent.
 */
export function chooseCoding(
  offered: readonly ContentCoding[],
  accepted: string | null,
): ContentCoding | "identity" {
  if (accepted === null) return "identity";
  const weights = weightsOf(accepted);
  const rest = weights.get("*");
  let best: ContentCoding | "identity" = "identity";
  // Not named, it is acceptable and no more than that.
  let bestWeight = weights.get("identity") ?? 0;
  for (const coding of offered) {
    const weight = weights.get(coding) ?? rest ?? 0;
    if (weight > bestWeight || (weight === bestWeight && weight > 0 && best === "identity")) {
      best = coding;
      bestWeight = weight;
    }
  }
  return best;
}

function weightsOf(accepted: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const element of accepted.split(",")) {
    const [written = "", parameter, ...more] = element.split(";").map((part) => part.trim());
    const match = parameter === undefined ? null : WEIGHT.exec(parameter);
    if (written === "" || more.length > 0 || (parameter !== undefined && match === null)) continue;
    const name = written.toLowerCase();
    // RFC 9110 §8.4.1.3: an old name of it.
    weights.set(name === "x-gzip" ? "gzip" : name, match === null ? 1 : Number(match[1]));
  }
  return weights;
}
