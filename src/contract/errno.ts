/** Linux errno numbers, negated as results carry them. Engines on other platforms translate to these. */
export const Errno = {
  EINVAL: -22,
  EMFILE: -24,
  ENFILE: -23,
  EPIPE: -32,
  EADDRINUSE: -98,
  EADDRNOTAVAIL: -99,
  ENETUNREACH: -101,
  ECONNABORTED: -103,
  ECONNRESET: -104,
  ENOBUFS: -105,
  ETIMEDOUT: -110,
  ECONNREFUSED: -111,
  EHOSTUNREACH: -113,
  ECANCELED: -125,
  ENOENT: -2,
  EACCES: -13,
  EIO: -5,
} as const;

const NAMES = new Map<number, string>(Object.entries(Errno).map(([name, value]) => [value, name]));

/** "ECONNREFUSED" for -111; "errno 42" for what is not in the table. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${-errno}`;
}
