/** Node's errors as the contract's errno: Linux numbers on every platform, found by the error's `code`. */
import { Errno } from "../../contract/errno.ts";

const BY_CODE = new Map<string, number>(Object.entries(Errno));

/**
 * The negative errno for `error`; a code that is not in the table is its own number on Linux, and -EIO
 * elsewhere.
 */
export function errnoOf(error: NodeJS.ErrnoException): number {
  const known = BY_CODE.get(error.code ?? "");
  if (known !== undefined) return known;
  if (process.platform === "linux" && error.errno !== undefined && error.errno < 0) return error.errno;
  return Errno.EIO;
}
