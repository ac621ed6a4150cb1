/**
 * The admin listener: health and figures for machines, over HTTP. It changes nothing and tells no secrets, and is
 * open only where it was asked for; what changes the proxy goes through the control socket.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Answering, answer } from "./answering.ts";
import type { Configuration } from "./configuration.ts";
import { listenText } from "./listeners.ts";

/** It cannot listen there. `message` is a sentence for people, with a remedy. */
export class AdminFailed extends Error {
  override readonly name = "AdminFailed";
}

export interface AdminListener {
  /** Where it is bound. */
  readonly address: string;
  /** Whether that is where the configuration wants it. */
  isAt(wanted: Configuration["admin"]): boolean;
  close(): Promise<void>;
}

const QUESTION_MS_MAX = 10_000;

/** Undefined where none is wanted. Rejects with `AdminFailed`. */
export async function openAdmin(
  wanted: Configuration["admin"],
  proxy: Answering,
): Promise<AdminListener | undefined> {
  if (wanted === null) return undefined;
  const server = createServer({ requestTimeout: QUESTION_MS_MAX }, (question, response) => {
    void answer(proxy, false, question, response);
  });
  server.unref();
  const host = wanted.host === "" ? {} : { host: wanted.host };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...host, port: wanted.port }, resolve);
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why = code === "EADDRINUSE" ? "is in use by another program" : `cannot be listened on (${code})`;
    throw new AdminFailed(`admin ${listenText(wanted)} ${why}; choose another port, or admin: off`);
  }
  server.on("error", () => {});
  const { address, port } = server.address() as AddressInfo;
  return {
    address: listenText({ host: address, port }),
    isAt: (next) => next?.host === wanted.host && next.port === wanted.port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
