/**
 * What the supervisor asks of the operating system beyond Node: listening sockets without an event loop,
 * shared memory, CPU numbers. There by FFI on Linux; elsewhere the supervisor does without (`listeners.ts`).
 */

export interface Host {
  /** A listening socket, not accepted from here. Throws an error with a `code`, as node:net's listen does. */
  openListener(address: { host: string; port: number }, options: { reusePort: boolean }): number;
  /** Throws as `openListener` does where somebody else listens; nobody can connect meanwhile. */
  assertUnbound(address: { host: string; port: number }, ipv6Only: boolean): void;
  /** Whether `fd` is a socket that listens for streams. */
  isListening(fd: number): boolean;
  /** Where it is bound, in `Port.connect`'s form. */
  listenerAddress(fd: number): string;
  /** From now on a new client of that socket hears nothing; one whose handshake is under way finishes it. */
  dropNewHandshakes(fd: number): void;
  /** Ends listening on that socket, whoever else still has it open: connecting is refused from now on. */
  endListening(fd: number): void;
  createSharedSegment(bytes: number): { fd: number; buffer: ArrayBufferLike };
  /** Two ends over which descriptors go to a process that runs already: ours, and its. */
  openPassage(): readonly [number, number];
  /** Sends a copy of `fd` there, with `number`. 0 or a negative errno. */
  passDescriptor(passage: number, fd: number, number: number): number;
  /** CPUs that this process may run on. */
  allowedCpus(): readonly number[];
  /** Raises RLIMIT_NOFILE as far as allowed; returns it. */
  raiseFileLimit(): number;
  /** RLIMIT_NOFILE as it is. */
  fileLimit(): number;
}

const SHUT_RD = 0;

/** The host, or the reason why there is none, in words. */
export async function loadHost(): Promise<Host | string> {
  try {
    const [sockets, processes, memory, passing, { loadSyscalls, requireMainThread }] = await Promise.all([
      import("../engine/native/sockets.ts"),
      import("../engine/native/process.ts"),
      import("../engine/native/shared-memory.ts"),
      import("../engine/native/descriptor-passing.ts"),
      import("../engine/native/syscalls.ts"),
    ]);
    // Elsewhere Node keeps account of the descriptors that a thread has opened, and these are not among them.
    requireMainThread();
    const host: Host = {
      openListener: sockets.openListener,
      assertUnbound: sockets.assertUnbound,
      isListening: sockets.isListening,
      listenerAddress: sockets.listenerAddress,
      dropNewHandshakes: (fd) => void sockets.dropNewHandshakes(fd),
      endListening: (fd) => void loadSyscalls().shutdown(fd, SHUT_RD),
      createSharedSegment: memory.createSharedSegment,
      openPassage: passing.openPassage,
      passDescriptor: passing.passDescriptor,
      allowedCpus: processes.allowedCpus,
      raiseFileLimit: processes.raiseFileLimit,
      fileLimit: processes.fileLimit,
    };
    host.fileLimit();
    return host;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
