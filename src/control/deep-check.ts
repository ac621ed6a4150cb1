/** What only the machine can say about a configuration: names, files, addresses. */
import { statSync } from "node:fs";
import { createServer, isIP } from "node:net";
import path from "node:path";
import type { ConfigError } from "../config/config-error.ts";
import type { Configuration } from "./configuration.ts";
import { listenText } from "./listeners.ts";
import { systemLookup } from "./name-lookup.ts";

/**
 * Resolves the names of all backends, looks for their sockets, and opens a port of every address to listen on:
 * any free one, since the proxy may be running. All that fails is told.
 */
export async function deepErrors(configuration: Configuration): Promise<ConfigError[]> {
  const checks: Promise<ConfigError | undefined>[] = [];
  for (const { name: cluster, backends } of configuration.clusters)
    for (const backend of backends) {
      const source = `cluster ${cluster}: backend`;
      if (backend.kind === "host") checks.push(nameError(source, backend.name, backend.host));
      else if (backend.address.startsWith("unix:"))
        checks.push(Promise.resolve(socketError(source, backend.address.slice("unix:".length))));
    }
  for (const listener of configuration.listeners) checks.push(listenError(listener));
  if (configuration.controlPath !== "") checks.push(Promise.resolve(folderError(configuration.controlPath)));
  const errors = await Promise.all(checks);
  return errors.filter((error) => error !== undefined);
}

async function nameError(source: string, value: string, host: string): Promise<ConfigError | undefined> {
  try {
    await systemLookup(host);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return {
      source,
      path: "",
      value,
      reason: `has a name without address (${code})`,
      remedy: "correct the name",
    };
  }
}

function socketError(source: string, value: string): ConfigError | undefined {
  const kind = statSync(value, { throwIfNoEntry: false });
  const wrong = { source, path: "", value };
  if (kind === undefined) return { ...wrong, reason: "does not exist", remedy: "start what listens there" };
  return kind.isSocket() ? undefined : { ...wrong, reason: "is no socket", remedy: "name a unix socket" };
}

function folderError(value: string): ConfigError | undefined {
  const folder = path.dirname(path.resolve(value));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
  return {
    source: "control",
    path: "",
    value,
    reason: "is in a folder that does not exist",
    remedy: "make it",
  };
}

function listenError(listener: { host: string; port: number }): Promise<ConfigError | undefined> {
  const { host } = listener;
  if (host === "") return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => {
      const reason = `cannot be listened on here (${error.code ?? error.message})`;
      const remedy = isIP(host) === 0 ? "write an IP address" : "write an address of this machine";
      resolve({ source: "listen", path: "", value: listenText(listener), reason, remedy });
    });
    server.listen({ host, port: 0 }, () => server.close(() => resolve(undefined)));
  });
}
