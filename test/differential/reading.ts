/** What a reader of a stream of messages saw in it: the common form in which readers are compared. */

export interface Seen {
  /** Of a request; "" in a response. */
  method: string;
  /** Of a response; 0 in a request. */
  status: number;
  target: string;
  /** `1.1` */
  version: string;
  /** Names and values in order, as they were written, without the whitespace around values. */
  fields: [string, string][];
  /** The head as it stands in the stream; "" where a reader does not tell. */
  raw: string;
  /** The body with its framing as it stands in the stream; "" where a reader does not tell. */
  rawBody: string;
  /** Without its framing; what came of it, if not all came. */
  body: string;
  /** The end of the body came. */
  complete: boolean;
  /** Another message may follow on the connection. */
  persists: boolean;
  /** What follows is another protocol. */
  upgrade: boolean;
}

export interface Reading {
  readonly messages: Seen[];
  /** Why reading stopped before the end of the stream; "" when it did not. */
  readonly fault: string;
}
