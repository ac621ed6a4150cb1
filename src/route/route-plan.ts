/**
 * What is done with the requests of one route, made ready when the routes are read.
 */
import { asciiBytes } from "../base/bytes.ts";
import type { Network } from "../base/ip-address.ts";
import { utf8Bytes } from "../base/utf8.ts";
import type { Chain } from "../contract/interception.ts";
import {
  type ErrorPage,
  type FieldEdit,
  type RateLimit,
  RETRIES,
  type Route,
  type StaticAnswer,
} from "../contract/routing.ts";
import type { Timeouts } from "../contract/snapshot.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { CORS_EDITS, ReadyCors } from "./cors.ts";
import { FieldEdits } from "./field-edits.ts";
import { PathCaptures } from "./path-pattern.ts";
import { ReadyRateLimit } from "./rate-limit.ts";
import { Rewriting } from "./rewriting.ts";
import { Template } from "./template.ts";
import { WeightedTargets } from "./weighted-targets.ts";

/** A complete answer but for Date, Connection and the empty line. */
export interface ReadyAnswer {
  readonly status: number;
  /** Status line and field lines. */
  readonly lines: Uint8Array;
  readonly body: Uint8Array;
}

/** Where requests are sent to by the client: all up to the value of Location, which follows. */
export interface ReadyRedirect {
  readonly status: number;
  readonly lines: Uint8Array;
  readonly location: Template;
  /** The location cannot begin with two slashes by what a client sent: that would be another host. */
  readonly guardsSlashes: boolean;
}

/** The content of an error page. */
export interface ReadyPage {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export type ReadyPages = ReadonlyMap<number, ReadyPage>;

export class RoutePlan {
  readonly name: string;
  /** Null: the request is answered here. */
  readonly targets: WeightedTargets | null;
  readonly redirect: ReadyRedirect | null;
  readonly answer: ReadyAnswer | null;
  readonly allow: readonly Network[];
  readonly deny: readonly Network[];
  /** `allow` or `deny` say something. */
  readonly isGuarded: boolean;
  /** The client's address is asked for. */
  readonly asksAddress: boolean;
  readonly rewriting: Rewriting | null;
  readonly requestEdits: FieldEdits | null;
  readonly responseEdits: FieldEdits | null;
  /** Null where nothing here names a part of the path. */
  readonly captures: PathCaptures | null;
  readonly usesRequestId: boolean;
  /** Null: those of the snapshot. */
  readonly timeouts: Timeouts | null;
  /** -1: that of the snapshot; 0: no limit. */
  readonly requestBodyBytesMax: number;
  /** 0: no limit. */
  readonly requestsInFlightMax: number;
  /** Exchanges that its owner has opened and not closed. */
  requestsInFlight = 0;
  /** Backends, or connections, that one request may meet. At least 1. */
  readonly attemptsMax: number;
  readonly rateLimit: ReadyRateLimit | null;
  readonly cors: ReadyCors | null;
  /** By status. */
  readonly pages: ReadyPages;
  /** Its hooks. */
  readonly chain: Chain | null;

  /**
   * `pages` are those of every route, `chains` what `Route.chain` counts, `rateLimits` what `Route.rateLimit`
   * counts. Throws `TemplateError` and `RegexError`.
   */
  constructor(
    route: Route,
    pages: ReadyPages,
    seed: number,
    chains: readonly Chain[] = [],
    rateLimits: readonly RateLimit[] = [],
  ) {
    const { action } = route;
    const captures = new PathCaptures(route.path);
    const { names, count } = captures;
    const edits = (list: readonly FieldEdit[]) =>
      list.length === 0 ? null : new FieldEdits(list, names, count);
    this.name = route.name;
    this.targets = action.kind === "forward" ? new WeightedTargets(action.targets, seed) : null;
    this.redirect =
      action.kind === "redirect"
        ? readyRedirect(action.status, action.location, new Template(action.location, names, count))
        : null;
    this.answer = action.kind === "respond" ? readyAnswer(action.answer) : null;
    this.allow = route.allow;
    this.deny = route.deny;
    this.isGuarded = route.allow.length > 0 || route.deny.length > 0;
    this.rewriting = route.rewrite === null ? null : new Rewriting(route.rewrite, names, count);
    this.requestEdits = edits(route.requestFields);
    this.cors = route.cors === null ? null : new ReadyCors(route.cors);
    this.responseEdits = edits(
      route.cors === null ? route.responseFields : [...CORS_EDITS, ...route.responseFields],
    );
    const limit = rateLimits[route.rateLimit];
    this.attemptsMax = 1 + (route.retries ?? RETRIES);
    this.requestsInFlightMax = route.requestsInFlightMax;
    this.rateLimit = limit === undefined ? null : new ReadyRateLimit(limit, names, count);
    const writers = [this.rewriting, this.requestEdits, this.responseEdits, this.redirect?.location ?? null];
    const usesCaptures = this.rateLimit?.usesCaptures || writers.some((writer) => writer?.usesCaptures);
    this.captures = usesCaptures ? captures : null;
    this.usesRequestId = writers.some((writer) => writer?.usesRequestId);
    this.asksAddress =
      this.isGuarded ||
      route.clients.length > 0 ||
      this.rateLimit?.asksAddress === true ||
      writers.some((writer) => writer?.usesClientAddress);
    this.timeouts = route.timeouts;
    this.requestBodyBytesMax = route.requestBodyBytesMax;
    this.pages = route.errorPages.length === 0 ? pages : new Map([...pages, ...readyPages(route.errorPages)]);
    this.chain = chainOf(chains, route.chain);
  }
}

/** The chain with that number; null where there is none. */
export function chainOf(chains: readonly Chain[], number: number | undefined): Chain | null {
  return number === undefined ? null : (chains[number] ?? null);
}

export function readyPages(pages: readonly ErrorPage[]): Map<number, ReadyPage> {
  return new Map(
    pages.map(({ status, contentType, body }) => [status, { contentType, body: utf8Bytes(body) }]),
  );
}

function readyAnswer({ status, fields, body }: StaticAnswer): ReadyAnswer {
  const bytes = utf8Bytes(body);
  // RFC 9110 §8.6: no Content-Length in 204; in 304 it would be that of another response.
  const length = status === 204 || status === 304 ? [] : [`Content-Length: ${bytes.length}`];
  const lines = [
    `HTTP/1.1 ${status} ${reasonPhrase(status)}`,
    ...fields.map(({ name, value }) => `${name}: ${value}`),
    ...length,
  ];
  return { status, lines: asciiBytes(`${lines.join("\r\n")}\r\n`), body: bytes };
}

function readyRedirect(status: number, text: string, location: Template): ReadyRedirect {
  const lines = [`HTTP/1.1 ${status} ${reasonPhrase(status)}`, "Content-Length: 0", "Location: "];
  const guardsSlashes = !text.startsWith("//") && !/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text);
  return { status, lines: asciiBytes(lines.join("\r\n")), location, guardsSlashes };
}
