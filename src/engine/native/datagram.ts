/** One message to a unix datagram socket (unix(7)), which Node has none of. */
import { sharedScratch } from "./memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const PATH_BYTES_MAX = 107;
const EMSGSIZE = 90;
const PATH_AT = 2;
/** Where the message lies in the scratch page, behind the address. */
const MESSAGE_AT = 256;

/**
 * Sends `text` to the socket at `path`, or, where that begins with `@`, to the one of that name in the abstract
 * namespace. Never waits. Returns 0 or a negative errno.
 */
export function sendDatagram(path: string, text: string): number {
  const name = new TextEncoder().encode(path);
  const message = new TextEncoder().encode(text);
  const calls = loadSyscalls();
  const { address, bytes } = sharedScratch();
  if (name.length > PATH_BYTES_MAX || message.length > bytes.length - MESSAGE_AT) return -EMSGSIZE;
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -calls.errno();
  bytes.fill(0, 0, MESSAGE_AT);
  bytes[0] = AF_UNIX;
  bytes.set(name, PATH_AT);
  if (path.startsWith("@")) bytes[PATH_AT] = 0;
  bytes.set(message, MESSAGE_AT);
  let result = calls.connect(fd, address, PATH_AT + name.length);
  if (result === 0)
    result = calls.send(fd, address + MESSAGE_AT, message.length, MSG_NOSIGNAL | MSG_DONTWAIT);
  const errno = result < 0 ? calls.errno() : 0;
  calls.close(fd);
  return errno === 0 ? 0 : -errno;
}
