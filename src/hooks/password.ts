/**
 * Passwords as scrypt hashes (RFC 7914) in the usual text: `$scrypt$ln=15,r=8,p=1$SALT$HASH`, both in Base64 without
 * padding. Node computes them in its thread pool.
 */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** A hash that can be compared with. */
export interface PasswordHash {
  /** Binary logarithm of the cost. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const PATTERN =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,86})\$([A-Za-z0-9+/]{22,86})$/;
const MEMORY_BYTES_MAX = 2 ** 28;
const OWN = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Undefined: the text is no such hash, or one that would cost too much. */
export function readPasswordHash(text: string): PasswordHash | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [ln, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  if (ln < 10 || ln > 22 || r < 1 || p < 1 || p > 16 || 128 * r * 2 ** ln > MEMORY_BYTES_MAX)
    return undefined;
  return { ln, r, p, salt: Buffer.from(match[4]!, "base64"), hash: Buffer.from(match[5]!, "base64") };
}

/** Whether `password` is the one that `hash` was made of. */
export async function isPassword(password: string, hash: PasswordHash): Promise<boolean> {
  const derived = await derive(password, hash.salt, hash.hash.length, hash);
  return timingSafeEqual(derived, hash.hash);
}

/** The text of a new hash. `ln`: binary logarithm of its cost, from 10. */
export async function hashPassword(password: string, ln = OWN.ln): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, { ...OWN, ln });
  const text = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
  return `$scrypt$ln=${ln},r=${OWN.r},p=${OWN.p}$${text(salt)}$${text(hash)}`;
}

function derive(
  password: string,
  salt: Buffer,
  bytes: number,
  { ln, r, p }: { readonly ln: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  const cost = 2 ** ln;
  const options = { N: cost, r, p, maxmem: 128 * r * (cost + p + 2) };
  return new Promise((resolve, reject) => {
    // The same password in another notation of Unicode is the same one (RFC 8265 §4.2).
    scrypt(password.normalize("NFC"), salt, bytes, options, (error, derived) => {
      if (error === null) resolve(derived);
      else reject(error);
    });
  });
}
