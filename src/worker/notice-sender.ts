/**
 * The data plane's notices, limited in number and sent to the supervisor after the batch in which they arose.
 */
import type { FailureNotice, HookNotice, Notices } from "../contract/notices.ts";
import type { FromWorker } from "../contract/worker-messages.ts";
import { NoticeLimiter } from "./notice-limiter.ts";

/** This many of each reason in each window. */
const PASS_MAX = 10;
const WINDOW_MS = 10_000;

export class NoticeSender implements Notices {
  readonly #send: (message: FromWorker) => void;
  readonly #drained: () => void;
  readonly #failures = new NoticeLimiter(PASS_MAX);
  readonly #endpoints = new NoticeLimiter(PASS_MAX);
  readonly #hooks = new NoticeLimiter(PASS_MAX);
  #waiting: FromWorker[] = [];
  #windowOpen = false;

  /** `drained` is called after the batch in which the data plane says so. */
  constructor(send: (message: FromWorker) => void, drained: () => void) {
    this.#send = send;
    this.#drained = drained;
  }

  admits(reason: string): boolean {
    this.#openWindow();
    return this.#failures.pass(reason);
  }

  failure(notice: FailureNotice): void {
    this.#queue({ type: "failure", notice });
  }

  endpoint(address: string, errno: number): void {
    this.#openWindow();
    if (this.#endpoints.pass(address)) this.#queue({ type: "endpoint", address, errno });
  }

  hook(notice: HookNotice): void {
    this.#openWindow();
    if (this.#hooks.pass(`${notice.kind} ${notice.hook} ${notice.source}`))
      this.#queue({ type: "hook", notice });
  }

  drained(): void {
    setImmediate(this.#drained);
  }

  /** Sends what waits. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) this.#send(message);
  }

  /** Nothing more is to come: sends what waits, and what was left out. */
  end(): void {
    this.#endWindow();
    this.flush();
  }

  #queue(message: FromWorker): void {
    if (this.#waiting.length === 0) setImmediate(() => this.flush());
    this.#waiting.push(message);
  }

  /** A timer runs only while there is something to limit: an idle worker has none. */
  #openWindow(): void {
    if (this.#windowOpen) return;
    this.#windowOpen = true;
    setTimeout(() => {
      this.#windowOpen = false;
      this.#endWindow();
    }, WINDOW_MS).unref();
  }

  #endWindow(): void {
    this.#failures.endWindow((reason, count) => this.#queue({ type: "suppressed", reason, count }));
    this.#endpoints.endWindow(() => {});
    this.#hooks.endWindow((reason, count) =>
      this.#queue({ type: "suppressed", reason: `hook ${reason}`, count }),
    );
  }
}
