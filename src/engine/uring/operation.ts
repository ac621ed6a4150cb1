/**
 * Kinds of operations: the high half of user_data. The low half is a connection, a listener, or a token of the
 * nested loop.
 */
export const Operation = {
  receive: 1,
  send: 2,
  connect: 3,
  accept: 4,
  watch: 5,
  /** Its completion says nothing: cancelling, closing. */
  silent: 6,
  /** A send that completes only where it was not done when it was handed over; see `immediate-sends.ts`. */
  immediateSend: 7,
  /** Tells of a connection that is not read: it broke, or its peer ended. */
  breakPoll: 8,
  /** Tells that a background connection can be read. */
  readPoll: 9,
} as const;
