/** The key `buffer` of a route. */
import type { BufferLink } from "../contract/hooking.ts";
import { kind, open, type Size } from "./kinds.ts";
import { isMap, unknownKey } from "./routes-values.ts";
import { Problem, readBytes } from "./values.ts";

export interface BufferInput {
  readonly request?: Size;
  readonly response?: Size;
}

const KEYS = ["request", "response"] as const;
const BYTES_MAX = 64 * 2 ** 20;

/** At most one link for each of both. */
function readBuffer(written: unknown): BufferLink[] | Problem {
  const shape = "write request, response or both, like {request: 1MiB}";
  if (!isMap(written)) return new Problem("is not a group of keys", shape);
  const unknown = unknownKey(written, KEYS);
  if (unknown !== undefined) return unknown;
  const links: BufferLink[] = [];
  for (const which of KEYS) {
    if (written[which] === undefined) continue;
    const bytesMax = readBytes(String(written[which]), 1, BYTES_MAX);
    if (bytesMax instanceof Problem)
      return new Problem(`has a ${which} that ${bytesMax.reason}`, bytesMax.remedy);
    links.push({ kind: "buffer", which, bytesMax });
  }
  return links.length > 0 ? links : new Problem("says nothing", shape);
}

export const ROUTE_BUFFER = {
  buffer: open({
    schema: kind<BufferInput, BufferLink[]>(readBuffer),
    words: {
      group: "Routes",
      value: "MAP",
      text: "Bodies that wait here in place of a backend: request: 1MiB, response: 1MiB; what is longer flows on",
      danger:
        "Memory: 64 MiB in each worker for all bodies. Uploads begin at a backend only when they are complete.",
      json: { type: "object" },
    },
  }),
};
