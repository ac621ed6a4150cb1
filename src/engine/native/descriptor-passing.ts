/**
 * Descriptors from one process to another that runs already, over a pair of unix sockets (SCM_RIGHTS, unix(7)).
 * Each message is one descriptor with a number that says what it is for.
 */
import { sharedScratch } from "./memory.ts";
import { loadSyscalls } from "./syscalls.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** Where things lie in the scratch page, in words of 4 bytes. Lengths are 8 bytes, their upper halves 0. */
const MESSAGE = 0;
const VECTOR = 16;
const PAYLOAD = 24;
const CONTROL = 32;
const MESSAGE_WORDS = 14;
const CONTROL_BYTES = 24;
/** Header and one descriptor (CMSG_LEN). */
const CONTROL_USED_BYTES = 20;
const TWO_POW_32 = 0x1_0000_0000;

/** Two ends of a passage, close-on-exec: one to keep, one for the other process. */
export function openPassage(): readonly [number, number] {
  const calls = loadSyscalls();
  const { address, words } = sharedScratch();
  if (calls.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, address) < 0)
    throw new Error(`socketpair: errno ${calls.errno()}`);
  return [words[0]!, words[1]!];
}

/** Sends a copy of `fd`, with `number`, into `passage`. Never waits. Returns 0 or a negative errno. */
export function passDescriptor(passage: number, fd: number, number: number): number {
  const calls = loadSyscalls();
  const { words } = sharedScratch();
  const message = writeMessage();
  words[PAYLOAD] = number;
  words[CONTROL] = CONTROL_USED_BYTES;
  words[CONTROL + 1] = 0;
  words[CONTROL + 2] = SOL_SOCKET;
  words[CONTROL + 3] = SCM_RIGHTS;
  words[CONTROL + 4] = fd;
  return calls.sendmsg(passage, message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -calls.errno() : 0;
}

/** The next descriptor in `passage` and its number; undefined where none waits. */
export function takeDescriptor(passage: number): { fd: number; number: number } | undefined {
  const calls = loadSyscalls();
  const { words } = sharedScratch();
  const message = writeMessage();
  words[CONTROL] = 0;
  if (calls.recvmsg(passage, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return undefined;
  if (words[CONTROL] !== CONTROL_USED_BYTES || words[CONTROL + 3] !== SCM_RIGHTS) return undefined;
  return { fd: words[CONTROL + 4]!, number: words[PAYLOAD]! };
}

/** A `struct msghdr` with one vector of 4 bytes and room for one descriptor. Returns its address. */
function writeMessage(): number {
  const { address, words } = sharedScratch();
  words.fill(0, MESSAGE, MESSAGE + MESSAGE_WORDS);
  writeAddress(words, VECTOR, address + PAYLOAD * 4);
  words[VECTOR + 2] = 4;
  words[VECTOR + 3] = 0;
  writeAddress(words, MESSAGE + 4, address + VECTOR * 4);
  words[MESSAGE + 6] = 1;
  writeAddress(words, MESSAGE + 8, address + CONTROL * 4);
  words[MESSAGE + 10] = CONTROL_BYTES;
  return address + MESSAGE * 4;
}

function writeAddress(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = Math.floor(address / TWO_POW_32) | 0;
}

/** Another descriptor of the same, close-on-exec. Throws where the system has none left. */
export function duplicateDescriptor(fd: number): number {
  const calls = loadSyscalls();
  const [near, far] = openPassage();
  const sent = passDescriptor(near, fd, 0);
  const copy = takeDescriptor(far);
  calls.close(near);
  calls.close(far);
  if (copy === undefined) throw new Error(`no copy of a descriptor: errno ${-sent}`);
  return copy.fd;
}
