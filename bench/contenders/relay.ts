/** A relay in C that parses nothing: the floor. */
import path from "node:path";
import { runToEnd, versionLine } from "../programs.ts";
import { type Contender, type Found, ONE_BACKEND, PEERS } from "./contender.ts";

export const RELAY: Contender = {
  name: "relay",
  title: "relay in C (epoll), parses nothing",
  usual: true,
  cannot: ONE_BACKEND,
  find: findRelay,
};

async function findRelay(directory: string): Promise<Found | string> {
  const compiler = versionLine(["gcc", "-dumpfullversion"]);
  if (compiler === undefined) return "gcc is not installed";
  const program = path.join(directory, "relay");
  await runToEnd(["gcc", "-O2", "-o", program, path.join(PEERS, "relay.c")], { core: undefined });
  return {
    version: `gcc ${compiler}`,
    argv: (port, [backendPort]) => [program, String(port), String(backendPort)],
  };
}
