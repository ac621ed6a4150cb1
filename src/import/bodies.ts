/** What becomes of bodies: `gzip` and `brotli` as `compress`, `proxy_buffering` as `buffer`. */
import { bytesText } from "../config/values.ts";
import type { Findings } from "./findings.ts";
import type { Directive } from "./nginx-grammar.ts";
import { readSizeBytes } from "./nginx-values.ts";
import type { DraftBuffer, DraftCompress } from "./route-draft.ts";
import type { Scope } from "./scope.ts";

const MIN_SIZE_MAX = 2 ** 30;
/** nginx compresses from here on where nothing is said. */
const MIN_SIZE = 20;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;
const SECRETS =
  "what may hold secrets (Cookie, Authorization, Set-Cookie) is not compressed here; compress.secrets: allow does that";

interface Coding {
  readonly name: "br" | "gzip";
  readonly directive: string;
  /** nginx's own where nothing is said, and the highest. */
  readonly level: number;
  readonly levelMax: number;
}

/** The first that a client accepts is taken. */
const CODINGS: readonly Coding[] = [
  { name: "br", directive: "brotli", level: 6, levelMax: 11 },
  { name: "gzip", directive: "gzip", level: 1, levelMax: 9 },
];

/** `compress` of a block. */
export function compressOf(scope: Scope, findings: Findings): DraftCompress {
  const on = CODINGS.filter(({ directive }) => isOn(scope.last(directive)));
  if (on.length === 0) return "off";
  const types = new Set(["text/html"]);
  const level: Record<string, number> = {};
  let minSize = MIN_SIZE_MAX;
  let takesAll = false;
  for (const { name, directive, level: initial, levelMax } of on) {
    findings.warn(scope.last(directive)!, SECRETS, "compress");
    const written = Number(scope.last(`${directive}_comp_level`)?.words[0] ?? initial);
    level[name] = written >= 0 && written <= levelMax ? written : initial;
    const bytes = readSizeBytes(scope.last(`${directive}_min_length`)?.words[0] ?? "") ?? MIN_SIZE;
    minSize = Math.min(minSize, bytes);
    const listed = scope.last(`${directive}_types`);
    for (const type of listed?.words ?? []) {
      if (type === "*") takesAll = true;
      else addType(types, type.toLowerCase(), listed!, findings);
    }
    if (takesAll) findings.warn(listed!, "the usual types that shrink are compressed, not all");
  }
  return {
    encodings: on.map(({ name }) => name),
    ...(takesAll ? {} : { types: [...types] }),
    minSize,
    level,
  };
}

function addType(types: Set<string>, type: string, directive: Directive, findings: Findings): void {
  if (type === "text/event-stream") findings.warn(directive, "event streams are not compressed");
  else if (MEDIA_TYPE.test(type)) types.add(type);
  else findings.warn(directive, `${type} is no media type; it is left out`);
}

const ROOM_BYTES_MAX = 64 * 2 ** 20;
/** In place of what nginx would write into files. */
const ROOM_BYTES = 4 * 2 ** 20;
const BUFFER_BYTES = 4096;
const BUFFERS = 8;

/** `buffer` of a block that says so; `bodyBytesMax`: longest request body, 0: any. */
export function bufferOf(scope: Scope, bodyBytesMax: number, findings: Findings): DraftBuffer | undefined {
  const request = scope.last("proxy_request_buffering");
  const response = scope.last("proxy_buffering");
  const buffer: { request?: string; response?: string } = {};
  if (isOn(request)) {
    const isLong = bodyBytesMax === 0 || bodyBytesMax > ROOM_BYTES_MAX;
    buffer.request = bytesText(isLong ? ROOM_BYTES_MAX : bodyBytesMax);
    if (isLong) findings.warn(request!, "64MiB of a body wait at most: what is longer flows on");
  }
  if (isOn(response)) buffer.response = bytesText(responseRoomBytes(scope, response!, findings));
  return buffer.request === undefined && buffer.response === undefined ? undefined : buffer;
}

function responseRoomBytes(scope: Scope, directive: Directive, findings: Findings): number {
  const [count, size = ""] = scope.last("proxy_buffers")?.words ?? [];
  const first = readSizeBytes(scope.last("proxy_buffer_size")?.words[0] ?? "") ?? BUFFER_BYTES;
  const inMemory = Number(count ?? BUFFERS) * (readSizeBytes(size) ?? BUFFER_BYTES) + first;
  const bytes = Number.isFinite(inMemory) ? Math.max(1, Math.min(inMemory, ROOM_BYTES_MAX)) : ROOM_BYTES;
  if (readSizeBytes(scope.last("proxy_max_temp_file_size")?.words[0] ?? "") === 0) return bytes;
  const room = Math.max(bytes, ROOM_BYTES);
  const text = `nothing waits in files: ${bytesText(room)} of a response in memory; buffer.response says how much`;
  findings.warn(directive, text);
  return room;
}

function isOn(directive: Directive | undefined): boolean {
  return directive?.words[0]?.toLowerCase() === "on";
}
