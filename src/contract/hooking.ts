/**
 * What the control plane tells workers about hooks: which links each chain has. Plain data; what a link does is
 * made of it at the edge of the worker (`src/hooks`), before the snapshot that brings it is followed.
 */

export interface Hooking {
  /** Changes whenever the code behind the links has to be loaded anew. */
  readonly version: number;
  /** By number, as `Route.chain` and `Snapshot.chain` mean them. */
  readonly chains: readonly (readonly HookLink[])[];
}

export type HookLink = CodeLink | CompressLink | MirrorLink | BufferLink | BasicAuthLink | ForwardAuthLink;

/** Only who has a password passes (RFC 7617). */
export interface BasicAuthLink {
  readonly kind: "basicAuth";
  readonly realm: string;
  /** Names with their hashes, as `hp-proxy hash-password` writes them; at least one. */
  readonly users: readonly (readonly [name: string, hash: string])[];
  /** Authorization goes on to backends. */
  readonly forwards: boolean;
  /** Field that tells backends the name, in lower case; "": none. */
  readonly userField: string;
}

/** Another server says who passes. */
export interface ForwardAuthLink {
  readonly kind: "forwardAuth";
  readonly url: string;
  readonly timeoutMs: number;
  /** Fields of the request that it gets, in lower case; null: all but those about the connection and the body. */
  readonly requestFields: readonly string[] | null;
  /** Fields of its answer that the backend gets, in lower case. */
  readonly responseFields: readonly string[];
}

/** Copies of requests go to another cluster, and its answers nowhere. */
export interface MirrorLink {
  readonly kind: "mirror";
  /** Its name. */
  readonly cluster: string;
  /** Of requests, 1 to 100. */
  readonly percent: number;
  /** A request with a longer body is not copied. */
  readonly bodyBytesMax: number;
}

/** Bodies wait here in place of a backend. */
export interface BufferLink {
  readonly kind: "buffer";
  readonly which: "request" | "response";
  /** What is beyond it flows on. At least 1. */
  readonly bytesMax: number;
}

export type ContentCoding = "gzip" | "br" | "zstd";

/** Responses of backends are compressed for clients that accept it. */
export interface CompressLink {
  readonly kind: "compress";
  /** In order of preference; at least one. */
  readonly encodings: readonly ContentCoding[];
  /** Media types in lower case: `text/html`, `text/*`, `*+json`. */
  readonly types: readonly string[];
  /** What is known to be shorter stays as it is. */
  readonly bytesMin: number;
  readonly levels: Readonly<Record<ContentCoding, number>>;
  /** What may have secrets in it: `skip`: it stays as it is (CVE-2013-3587). */
  readonly secrets: "skip" | "allow";
}

/** Functions that somebody wrote. */
export interface CodeLink {
  readonly kind: "code";
  /**
   * Where they are: a module by its absolute path, and the steps from its default export (called where it is a
   * function) to the object of hooks; or, in the process that was given them, their number.
   */
  readonly source:
    | { readonly file: string; readonly path: readonly (string | number)[] }
    | { readonly given: number };
  /** Bits of `Moment` that the object has functions for. */
  readonly moments: number;
  /** A call that holds the thread for longer is counted and logged, in milliseconds. */
  readonly budgetMs: number;
  /** How long a promise may take. */
  readonly timeoutMs: number;
  /** What becomes of an exchange whose hook has thrown or is late: `open`: it goes on; `closed`: 500. */
  readonly onFailure: "open" | "closed";
}

/** What a link is called in messages. */
export function linkName(link: HookLink): string {
  if (link.kind !== "code") return link.kind;
  const { source } = link;
  if ("given" in source) return "createProxy";
  const name = source.file.slice(Math.max(source.file.lastIndexOf("/"), source.file.lastIndexOf("\\")) + 1);
  return source.path.length === 0 ? name : `${name}#${source.path.join(".")}`;
}
