/** Stands in for the service manager: takes what services say on a socket of datagrams (sd_notify), and prints it. */
import path from "node:path";
import { type Scope, temporaryFolder } from "../e2e/proxy-process.ts";
import { installed, Program } from "./program.ts";

const python = installed("python3");
const NOTIFY = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print("[" + s.recv(4096).decode().replace("\\n", "|") + "]", flush=True)
`;

/** Why there can be none here; false: there can. */
export const noServiceManager: string | false =
  process.platform !== "linux" ? "it is for Linux" : python === "" ? "python3 is not installed" : false;

/** Resolves when it listens at `environment`. It prints each message in brackets, its lines apart by `|`. */
export async function startServiceManager(
  scope: Scope,
): Promise<{ manager: Program; environment: { NOTIFY_SOCKET: string } }> {
  const NOTIFY_SOCKET = path.join(temporaryFolder(scope), "notify");
  const manager = new Program(scope, [python, "-c", NOTIFY, NOTIFY_SOCKET]);
  await manager.printed(/bound/);
  return { manager, environment: { NOTIFY_SOCKET } };
}
