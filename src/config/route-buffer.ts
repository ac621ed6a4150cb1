/** The key `buffer` of a route. */
import type { BufferLink } from "../contract/hooking.ts";
import { kind, open, type Size } from "./kinds.ts";
import { isMap, Parts } from "./parts.ts";
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
  const parts = new Parts(written, KEYS);
  const links: BufferLink[] = [];
  for (const which of KEYS) {
    const bytesMax = parts.optional(which, (text) => readBytes(text, 1, BYTES_MAX));
    if (bytesMax !== undefined) links.push({ kind: "buffer", which, bytesMax });
  }
  if (parts.isGood && links.length === 0) parts.refuse([], "says nothing", shape);
  return parts.result(links);
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
