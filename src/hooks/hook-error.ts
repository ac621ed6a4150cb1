/** The one error that views throw for what is not the caller's mistake of type. */

/**
 * `ended`: the exchange is over, its bytes are gone. `too_late`: possible only at an earlier moment.
 * `refused`: the proxy does not do that (a field on which framing depends, no room, a body that cannot be
 * transformed). `body_too_large`: longer than `maxBytes`; thrown out of `onRequest`, it is answered 413.
 */
export type HookErrorCode = "ended" | "too_late" | "refused" | "body_too_large";

export class HookError extends Error {
  override readonly name = "HookError";
  readonly code: HookErrorCode;

  constructor(code: HookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
