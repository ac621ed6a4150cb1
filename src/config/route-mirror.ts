/** The key `mirror` of a route. */
import type { MirrorLink } from "../contract/hooking.ts";
import { type Count, kind, open, type Size } from "./kinds.ts";
import { isMap, type Plain, unknownKey } from "./routes-values.ts";
import { Problem, readBytes, readInteger } from "./values.ts";

/** A cluster alone, or with all that can be said. */
export type MirrorInput = string | MirrorMap;

export interface MirrorMap {
  readonly to: string;
  /** Of requests. */
  readonly percent?: Count;
  readonly maxBody?: Size;
}

const KEYS = ["to", "percent", "maxBody"] as const;
const MAX_BODY = 2 ** 20;
const MAX_BODY_MAX = 16 * 2 ** 20;

function readMirror(written: unknown): MirrorLink | Problem {
  const map: Plain = isMap(written) ? written : { to: written };
  const unknown = unknownKey(map, KEYS);
  if (unknown !== undefined) return unknown;
  const { to: cluster } = map;
  if (typeof cluster !== "string" || cluster === "")
    return new Problem("has no cluster", "write the name of one, or {to, percent, maxBody}");
  const percent = readInteger(String(map.percent ?? 100), 1, 100);
  if (percent instanceof Problem) return new Problem(`has a percent that ${percent.reason}`, percent.remedy);
  const bodyBytesMax = readBytes(String(map.maxBody ?? MAX_BODY), 0, MAX_BODY_MAX);
  if (bodyBytesMax instanceof Problem)
    return new Problem(`has a maxBody that ${bodyBytesMax.reason}`, bodyBytesMax.remedy);
  return { kind: "mirror", cluster, percent, bodyBytesMax };
}

export const ROUTE_MIRROR = {
  mirror: open({
    schema: kind<MirrorInput, MirrorLink>(readMirror),
    words: {
      group: "Routes",
      value: "NAME",
      text: "A cluster that gets copies of requests, its answers thrown away; or {to, percent (100), maxBody (1MiB)}",
      danger: "A copy of a POST is a POST: what it writes to must not be what the original writes to.",
      json: { anyOf: [{ type: "string" }, { type: "object" }] },
    },
  }),
};
