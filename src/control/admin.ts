/**
 * The admin listener: health and figures for machines, over HTTP. It changes nothing and tells no secrets, and is
 * open only where it was asked for; what changes the proxy goes through the control socket.
 */

import { closeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isInTheWay, listenText } from "../config/listen-overlap.ts";
import { type Answering, answer } from "./answering.ts";
import { closeServer } from "./close-server.ts";
import type { Configuration } from "./configuration.ts";
import { loadHost } from "./host.ts";
import { bindAddress, boundAt, ListenFailed } from "./listeners.ts";
import type { InheritedAdmin } from "./succession.ts";

/** It cannot listen there. `message` is a sentence for people, with a remedy. */
export class AdminFailed extends Error {
  override readonly name = "AdminFailed";
}

export interface AdminListener {
  /** Where it is bound. */
  readonly address: string;
  /** Whether that is where the configuration wants it. */
  isAt(wanted: Configuration["admin"]): boolean;
  /** For a process that takes over; null where it has no descriptor of ours. */
  readonly heritage: InheritedAdmin | null;
  /** As `closeServer`. */
  close(waitMs?: number): Promise<void>;
}

const QUESTION_MS_MAX = 10_000;

type Wanted = NonNullable<Configuration["admin"]>;

/**
 * Undefined where none is wanted. `listeners`: where those of this proxy are bound. `inherited` is taken where it
 * fits, and else closed. Rejects with `AdminFailed`.
 */
export async function openAdmin(
  wanted: Configuration["admin"],
  proxy: Answering,
  listeners: readonly string[],
  inherited: InheritedAdmin | null = null,
): Promise<AdminListener | undefined> {
  const fits = wanted !== null && inherited?.host === wanted.host && inherited.port === wanted.port;
  if (inherited !== null && !fits) closeSync(inherited.fd);
  if (wanted === null) return undefined;
  const server = createServer({ requestTimeout: QUESTION_MS_MAX }, (question, response) => {
    void answer(proxy, false, question, response);
  });
  server.unref();
  let fd = -1;
  try {
    fd = fits && inherited !== null ? inherited.fd : await openSocket(wanted);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (fd >= 0) server.listen({ fd }, resolve);
      else
        server.listen({ ...(wanted.host === "" ? {} : { host: wanted.host }), port: wanted.port }, resolve);
    });
  } catch (error) {
    if (error instanceof ListenFailed) throw new AdminFailed(`admin ${error.message}`);
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why =
      code === "EADDRINUSE" ? await holderText(wanted, listeners) : `cannot be listened on (${code})`;
    throw new AdminFailed(`admin ${listenText(wanted)} ${why}; choose another port, or admin: off`);
  }
  server.on("error", () => {});
  const { address, port } = server.address() as AddressInfo;
  return {
    address: listenText({ host: address, port }),
    heritage: fd < 0 ? null : { host: wanted.host, port: wanted.port, fd },
    isAt: (next) => next?.host === wanted.host && next.port === wanted.port,
    close: (waitMs) => closeServer(server, waitMs),
  };
}

/** Who has that port. */
async function holderText(wanted: Wanted, listeners: readonly string[]): Promise<string> {
  const place = { host: await bindAddress(wanted), port: wanted.port };
  const own = listeners.find((address) => isInTheWay(place, boundAt(address)));
  return own === undefined
    ? "is in use by another program"
    : `is in use by the listener ${own} of this proxy`;
}

/** A listening socket that can be handed over; -1 where there is no host to open it. */
async function openSocket(wanted: Wanted): Promise<number> {
  const host = await loadHost();
  if (typeof host === "string") return -1;
  return host.openListener({ host: await bindAddress(wanted), port: wanted.port }, { reusePort: false });
}
