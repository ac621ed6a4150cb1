/** Local answers, rendered once per reason and way of ending but for their date, then only copied. */
import { renderAnswer } from "../http1/answer.ts";
import { FAULTS, type Fault } from "../http1/fault.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import { type Failure, Failures } from "./failure.ts";

export interface Answer {
  /** Status line and field lines, without the empty line: `Date` is yet to come. */
  readonly lines: Uint8Array;
  readonly body: Uint8Array;
  readonly status: number;
}

/** Seconds a client is asked to wait when no backend is available. */
const RETRY_AFTER_S = 1;

export class Answers {
  readonly #failures = new Map<Failure, Answer>();
  readonly #closingFailures = new Map<Failure, Answer>();
  readonly #faults = new Map<Fault, Answer>();

  /** The answer to a request that failed. */
  ofFailure(failure: Failure, close: boolean): Answer {
    const answers = close ? this.#closingFailures : this.#failures;
    let answer = answers.get(failure);
    if (answer === undefined) {
      answer = render(failure.status, failure.text, extraFields(failure), close);
      answers.set(failure, answer);
    }
    return answer;
  }

  /** The answer to a request that could not be read; always the last on its connection. */
  ofFault(fault: Fault): Answer {
    let answer = this.#faults.get(fault);
    if (answer === undefined) {
      const { status, text } = FAULTS[fault];
      answer = render(status, text, [], true);
      this.#faults.set(fault, answer);
    }
    return answer;
  }
}

function extraFields(failure: Failure): string[] {
  if (failure.status === 503) return [`Retry-After: ${RETRY_AFTER_S}`];
  // RFC 9110 §15.5.6: a 405 lists what is allowed.
  if (failure === Failures.connectMethod)
    return ["Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE"];
  return [];
}

function render(status: number, text: string, extra: string[], close: boolean): Answer {
  const bytes = renderAnswer(
    status,
    reasonPhrase(status),
    `${text}\n`,
    close ? [...extra, "Connection: close"] : extra,
  );
  const headBytes = bytes.length - text.length - 1;
  return { lines: bytes.slice(0, headBytes - 2), body: bytes.slice(headBytes), status };
}
