/**
 * Listening sockets that were open before this process began: handed over by the proxy that it replaces, or
 * opened by systemd (sd_listen_fds(3)).
 */
import type { Host } from "./host.ts";
import { loadHost } from "./host.ts";
import { ListenFailed } from "./listeners.ts";

/** One inherited listener; crosses from process to process as JSON. */
export interface InheritedListener {
  /** As it was configured where it was opened; "" and -1 where that is not known. */
  readonly host: string;
  readonly port: number;
  /** Where it is bound, in `Port.connect`'s form. */
  readonly address: string;
  /**
   * Whoever opened it keeps it: all workers accept from its one socket, nothing can be opened beside it, and
   * it is closed, never shut.
   */
  readonly isPassed: boolean;
  /** Its sockets, in the order of the workers that accept from them. */
  readonly fds: readonly number[];
  /** What its owner calls it; "" where it has no name. */
  readonly name: string;
}

/** Descriptors that a service manager passed to this process. */
export interface PassedSockets {
  readonly fds: readonly number[];
  /** By position; "" where there is none. */
  readonly names: readonly string[];
}

const FIRST_PASSED_FD = 3;
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] as const;

/**
 * Reads what systemd says of passed sockets, and takes it out of `environment`, so that no child believes
 * that it is meant. None where it is meant for a process other than `pid`.
 */
export function takePassedSockets(
  environment: Record<string, string | undefined>,
  pid: number,
): PassedSockets {
  const { LISTEN_PID: whose, LISTEN_FDS: countText = "", LISTEN_FDNAMES: names = "" } = environment;
  for (const variable of VARIABLES) delete environment[variable];
  const count = /^\d{1,4}$/.test(countText) ? Number(countText) : 0;
  const isOurs = whose === String(pid);
  return {
    fds: Array.from({ length: isOurs ? count : 0 }, (_, index) => FIRST_PASSED_FD + index),
    names: names.split(":"),
  };
}

/**
 * Finds out where passed sockets are bound. Rejects with `ListenFailed` where one of them is no listening TCP
 * socket, or where that cannot be found out.
 */
export async function passedListeners({ fds, names }: PassedSockets): Promise<InheritedListener[]> {
  if (fds.length === 0) return [];
  const host = await hostFor("sockets were passed (LISTEN_FDS)");
  const reasons: string[] = [];
  const found: InheritedListener[] = [];
  for (const [at, fd] of fds.entries()) {
    const name = names[at] ?? "";
    const address = host.isListening(fd) ? host.listenerAddress(fd) : "";
    if (address === "" || address.startsWith("unix:")) reasons.push(unfitText(fd, name, address));
    else found.push({ host: "", port: -1, address, isPassed: true, fds: [fd], name });
  }
  if (reasons.length > 0) throw new ListenFailed(reasons.join("; "), "", 0);
  return found;
}

function unfitText(fd: number, name: string, address: string): string {
  const what = `the passed descriptor ${fd}${name === "" ? "" : ` (${name})`}`;
  if (address !== "") return `${what} is ${address}, and this proxy listens on TCP; write an address there`;
  return `${what} is no listening socket; take ListenDatagram= and Accept=yes out of the .socket unit`;
}

/** The host, which inherited sockets cannot do without. Rejects with `ListenFailed`. */
export async function hostFor(what: string): Promise<Host> {
  const host = await loadHost();
  if (typeof host !== "string") return host;
  throw new ListenFailed(`${what}, which needs the foreign function package: ${host}`, "", 0);
}
