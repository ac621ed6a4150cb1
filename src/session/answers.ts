/** Local answers, rendered once per reason, form and way of ending but for their date, then only copied. */
import { asciiBytes } from "../base/bytes.ts";
import { renderAnswerLines } from "../http1/answer.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import type { ReadyPage } from "../route/route-plan.ts";
import { type Failure, Failures, faultProxyError } from "./failure.ts";

export interface Answer {
  /** Status line and field lines, without the empty line: `Date` is yet to come. */
  readonly lines: Uint8Array;
  readonly body: Uint8Array;
  readonly status: number;
}

/** What an answer says. */
interface Verdict {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
  readonly proxyError: string;
  /** Field lines of its own. */
  readonly fields: readonly string[];
}

/** Seconds a client is asked to wait when no backend is available. */
const NOTHING = new Uint8Array(0);
const RETRY_AFTER_S = 1;
const ALLOWED_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

export class Answers {
  readonly #proxyName: string;
  /** By reason word, form and way of ending. */
  readonly #rendered = new Map<string, Answer>();
  /** The same with an error page for content; gone with the page. */
  readonly #byPage = new WeakMap<ReadyPage, Map<string, Answer>>();

  /** `proxyName`: this proxy in `Via` and `Proxy-Status`. */
  constructor(proxyName: string) {
    this.#proxyName = structuredName(proxyName);
  }

  /** The answer to a request that failed. */
  ofFailure(failure: Failure, json: boolean, close: boolean, page?: ReadyPage): Answer {
    const verdict = () => ({ ...failure, fields: ownFields(failure) });
    return this.#once(`${failure.reason} ${failure.status}`, json, close, verdict, page);
  }

  /** The answer to a request that could not be read; always the last on its connection. */
  ofFault(fault: Fault, json: boolean, page?: ReadyPage): Answer {
    const { name, status, text } = FAULTS[fault];
    const proxyError = faultProxyError(status);
    const verdict = () => ({ status, reason: name, text, proxyError, fields: [] });
    return this.#once(name, json, true, verdict, page);
  }

  /** The answer to an OPTIONS that may go no further (RFC 9110 §9.3.7). */
  toOptions(close: boolean): Answer {
    const fields = [
      `Allow: ${ALLOWED_METHODS}`,
      "Content-Length: 0",
      ...(close ? ["Connection: close"] : []),
    ];
    const lines = asciiBytes(`HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n`);
    return { lines, body: NOTHING, status: 200 };
  }

  #once(reason: string, json: boolean, close: boolean, verdict: () => Verdict, page?: ReadyPage): Answer {
    const rendered = page === undefined ? this.#rendered : this.#renderedWith(page);
    const key = `${reason} ${json} ${close}`;
    let answer = rendered.get(key);
    if (answer === undefined) {
      answer = this.#render(verdict(), json, close, page);
      rendered.set(key, answer);
    }
    return answer;
  }

  #renderedWith(page: ReadyPage): Map<string, Answer> {
    const rendered = this.#byPage.get(page) ?? new Map<string, Answer>();
    this.#byPage.set(page, rendered);
    return rendered;
  }

  #render(verdict: Verdict, json: boolean, close: boolean, page?: ReadyPage): Answer {
    const { status, reason, text, proxyError, fields } = verdict;
    const said = json ? JSON.stringify({ status, error: reason, message: text }) : text;
    const body = page?.body ?? asciiBytes(`${said}\n`);
    const type = page?.contentType ?? (json ? "application/json" : "text/plain; charset=utf-8");
    const lines = renderAnswerLines(status, reasonPhrase(status), type, body.length, [
      // RFC 9110 §15.1: some of these statuses may be cached unless told otherwise.
      "Cache-Control: no-store",
      `Proxy-Status: ${this.#proxyName}; error=${proxyError}; details="${reason}"`,
      ...fields,
      ...(close ? ["Connection: close"] : []),
    ]);
    return { lines, body, status };
  }
}

/** A token where it is one, else a string (RFC 8941 §3.3.3 and §3.3.4). `name` is ASCII. */
function structuredName(name: string): string {
  if (/^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*$/.test(name)) return name;
  return `"${name.replaceAll(/["\\]/g, "\\$&")}"`;
}

function ownFields(failure: Failure): string[] {
  // Its own Retry-After depends on the client.
  if (failure.reason === Failures.rateLimited.reason) return [];
  if (failure.status === 503) return [`Retry-After: ${RETRY_AFTER_S}`];
  // RFC 9110 §15.5.6: a 405 lists what is allowed.
  if (failure.status === 405) return [`Allow: ${ALLOWED_METHODS}`];
  return [];
}
