/**
 * Tells a service manager how far we are (sd_notify(3)): systemd waits for it with `Type=notify`. Only where it
 * says where to tell it, and where datagrams can be sent.
 */
import type { Environment } from "./options.ts";

export interface ServiceManager {
  ready(status: string): void;
  reloading(): void;
  stopping(): void;
  /** The process `pid` is the service from now on. */
  replaced(pid: number): void;
}

const NOBODY: ServiceManager = { ready() {}, reloading() {}, stopping() {}, replaced() {} };

/** `unheard` is told once why nothing can be said, in words. */
export async function openServiceManager(
  environment: Environment,
  unheard: (reason: string) => void,
): Promise<ServiceManager> {
  const path = environment.NOTIFY_SOCKET ?? "";
  if (path === "") return NOBODY;
  let isTold = false;
  const fail = (reason: string) => {
    if (!isTold) unheard(reason);
    isTold = true;
  };
  try {
    const { sendDatagram } = await import("../engine/native/datagram.ts");
    const tell = (...lines: string[]) => {
      const result = sendDatagram(path, lines.join("\n"));
      if (result < 0) fail(`errno ${-result}`);
    };
    return {
      ready: (status) => tell("READY=1", `STATUS=${status}`),
      reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
      stopping: () => tell("STOPPING=1"),
      replaced: (pid) => tell(`MAINPID=${pid}`),
    };
  } catch (error) {
    fail((error as Error).message);
    return NOBODY;
  }
}
