/** The lines of `hp-proxy explain` about what a request and its response pass: hooks, and what is done as they are. */
import { functionNames } from "../config/hook-objects.ts";
import { bytesText } from "../config/values.ts";
import { type CompressLink, type HookLink, linkName, type MirrorLink } from "../contract/hooking.ts";
import { chooseCoding } from "../hooks/accept-encoding.ts";

type Row = [name: string, value: string];

/** `fields`: those of the request. */
export function linkRows(chain: readonly HookLink[], fields: readonly string[]): Row[] {
  return chain.map((link) => {
    if (link.kind === "compress") return ["compress", compressText(link, fields)];
    if (link.kind === "basicAuth") {
      const counted = link.users.length === 1 ? "1 user" : `${link.users.length} users`;
      return ["basicAuth", `${counted}, realm ${JSON.stringify(link.realm)}; not asked here`];
    }
    if (link.kind === "forwardAuth") return ["forwardAuth", `${link.url}; not asked here`];
    if (link.kind === "buffer") return ["buffer", `up to ${bytesText(link.bytesMax)} of the ${link.which}`];
    if (link.kind === "mirror") return ["mirror", mirrorText(link)];
    return ["hooks", `${linkName(link)} (${functionNames(link).join(", ")}); not called here`];
  });
}

function mirrorText({ cluster, percent, bodyBytesMax }: MirrorLink): string {
  const share = percent === 100 ? "" : `, ${percent} of 100 requests`;
  return `a copy to ${cluster}${share}, with bodies of up to ${bytesText(bodyBytesMax)}`;
}

function compressText(link: CompressLink, fields: readonly string[]): string {
  const coding = chooseCoding(link.encodings, fieldText(fields, "accept-encoding"));
  const isPrivate = fieldText(fields, "cookie") !== null || fieldText(fields, "authorization") !== null;
  const size = link.bytesMin === 0 ? "any size" : `${bytesText(link.bytesMin)} and more`;
  if (coding === "identity")
    return `nothing for this request, which accepts none of ${link.encodings.join(", ")}`;
  const condition =
    isPrivate && link.secrets === "skip" ? ", where it says Cache-Control: public (secrets: skip)" : "";
  return `${coding} at level ${link.levels[coding]}, ${size}${condition}`;
}

/** All lines of that name as one list; null: there is none. */
function fieldText(fields: readonly string[], name: string): string | null {
  const values = fields
    .filter((line) => line.slice(0, line.indexOf(":")).toLowerCase() === name)
    .map((line) => line.slice(line.indexOf(":") + 1).trim());
  return values.length === 0 ? null : values.join(", ");
}
