/** The key `mirror` of a route. */
import type { MirrorLink } from "../contract/hooking.ts";
import { type Count, kind, open, type Size } from "./kinds.ts";
import { MISSING, Parts } from "./parts.ts";
import { type Problem, readBytes, readInteger } from "./values.ts";

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
  const parts = new Parts(written, KEYS, "to");
  const { to } = parts.map;
  const remedy = "write the name of one, or {to, percent, maxBody}";
  if (to === undefined) parts.refuse(["to"], MISSING, remedy);
  else if (typeof to !== "string" || to === "") parts.refuse(["to"], "is not a cluster", remedy);
  const percent = parts.read("percent", "100", (text) => readInteger(text, 1, 100));
  const bodyBytesMax = parts.read("maxBody", String(MAX_BODY), (text) => readBytes(text, 0, MAX_BODY_MAX));
  return parts.result({ kind: "mirror", cluster: String(to), percent, bodyBytesMax });
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
