/**
 * Names of fields, in lower case, that say where a message ends, whose turn it is, or what two neighbours agreed on
 * (RFC 9110 §7.6.1, §10.1.1): each connection has its own, and the proxy writes them. Nobody's edits touch them, and
 * whoever sends a copy of a message leaves them out.
 */
export const FRAMING_NAMES: readonly string[] = [
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
