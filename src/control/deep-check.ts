/** What only the machine can say about a configuration: names, files, addresses. */
import { statSync } from "node:fs";
import { createServer, isIP } from "node:net";
import path from "node:path";
import { clustersOf } from "../config/check.ts";
import type { ConfigError } from "../config/config-error.ts";
import { listenText } from "../config/listen-overlap.ts";
import { type Located, nearestAt, type Path, pathText, placeText } from "../config/located.ts";
import type { ListenAddress } from "./listeners.ts";
import type { LoadedConfiguration } from "./load-configuration.ts";
import { systemLookup } from "./name-lookup.ts";

/**
 * Resolves the names of all backends and of the servers of `forwardAuth`, looks for their sockets, and opens a port
 * of every address to listen on: any free one, since the proxy may be running. All that fails is told, with where it
 * is written.
 */
export async function deepErrors(loaded: LoadedConfiguration): Promise<ConfigError[]> {
  const { configuration, document, written } = loaded;
  const checks: Promise<ConfigError | undefined>[] = [];
  for (const { backends, path: above } of clustersOf(document))
    for (const [index, backend] of backends.entries()) {
      const where = whereIs(written, [...above, index]);
      if (backend.kind === "host") checks.push(nameError(where, backend.name, backend.host));
      else if (backend.address.startsWith("unix:"))
        checks.push(Promise.resolve(socketError(where, backend.address.slice("unix:".length))));
    }
  const asked = (document.routes ?? []).map((route, index) => [["routes", index], route] as const);
  for (const [above, { forwardAuth }] of [[[], document] as const, ...asked]) {
    if (forwardAuth === undefined || forwardAuth === null) continue;
    const { hostname } = new URL(forwardAuth.url);
    // IPv6 addresses stand in brackets.
    if (isIP(hostname) !== 0 || hostname.startsWith("[")) continue;
    checks.push(nameError(whereIs(written, [...above, "forwardAuth", "url"]), forwardAuth.url, hostname));
  }
  for (const [index, listener] of configuration.listeners.entries())
    checks.push(listenError(whereIs(written, ["listen", index, "address"]), listener));
  if (configuration.controlPath !== "")
    checks.push(Promise.resolve(folderError(whereIs(written, ["control"]), configuration.controlPath)));
  const errors = await Promise.all(checks);
  return errors.filter((error) => error !== undefined);
}

type Where = Pick<ConfigError, "source" | "path">;

/** Where the value is written that is at `path`, or nearest above it. */
function whereIs(root: Located, path: Path): Where {
  const { node, path: written } = nearestAt(root, path);
  const source = placeText(node.place);
  return node.place.kind === "option" ? { source } : { source, path: pathText(written) };
}

async function nameError(where: Where, value: string, host: string): Promise<ConfigError | undefined> {
  try {
    await systemLookup(host);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return { ...where, value, reason: `has a name without address (${code})`, remedy: "correct the name" };
  }
}

function socketError(where: Where, value: string): ConfigError | undefined {
  const kind = statSync(value, { throwIfNoEntry: false });
  const wrong = { ...where, value };
  if (kind === undefined) return { ...wrong, reason: "does not exist", remedy: "start what listens there" };
  return kind.isSocket() ? undefined : { ...wrong, reason: "is no socket", remedy: "name a unix socket" };
}

function folderError(where: Where, value: string): ConfigError | undefined {
  const folder = path.dirname(path.resolve(value));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
  return { ...where, value, reason: "is in a folder that does not exist", remedy: "make it" };
}

function listenError(where: Where, listener: ListenAddress): Promise<ConfigError | undefined> {
  const { host } = listener;
  if (host === "") return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => {
      const reason = `cannot be listened on here (${error.code ?? error.message})`;
      const remedy = isIP(host) === 0 ? "write an IP address" : "write an address of this machine";
      resolve({ ...where, value: listenText(listener), reason, remedy });
    });
    server.listen({ host, port: 0 }, () => server.close(() => resolve(undefined)));
  });
}
