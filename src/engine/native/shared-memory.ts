/** Memory that several processes map: the counters of all workers lie in one such segment. */
import { mapShared, sharedScratch } from "./memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const NAME = "hp-proxy\0";
const MFD_CLOEXEC = 1;

/**
 * A new zeroed segment of `bytes`, as a descriptor (close-on-exec: a child inherits it by being given it in
 * `stdio`) and the segment mapped here. It lives until the last descriptor and the last mapping are gone.
 */
export function createSharedSegment(bytes: number): { fd: number; buffer: ArrayBuffer } {
  const calls = loadSyscalls();
  const scratch = sharedScratch();
  for (let i = 0; i < NAME.length; i++) scratch.bytes[i] = NAME.charCodeAt(i);
  const fd = calls.memfd_create(scratch.address, MFD_CLOEXEC);
  if (fd < 0) throw new Error(`memfd_create: errno ${calls.errno()}`);
  if (calls.ftruncate(fd, bytes) < 0) {
    const errno = calls.errno();
    calls.close(fd);
    throw new Error(`ftruncate to ${bytes} bytes: errno ${errno}`);
  }
  return { fd, buffer: mapSharedSegment(fd, bytes) };
}

/** Maps the first `bytes` of a segment that another process made. The descriptor may be closed afterwards. */
export function mapSharedSegment(fd: number, bytes: number): ArrayBuffer {
  return mapShared(fd, bytes).buffer;
}
