/** How the servers end that answer questions about the proxy. */
import type { Server } from "node:http";
import { Server as NetServer } from "node:net";

/** For questions and answers that are under way. */
const CLOSE_MS_MAX = 500;

/**
 * Nobody is let in any more. Who was, gets an answer, also to a question that comes only now, in the next `waitMs`;
 * then it is cut. Resolves when all are gone. Called again, the earlier end counts.
 */
export async function closeServer(server: Server, waitMs: number = CLOSE_MS_MAX): Promise<void> {
  const late = setTimeout(() => server.closeAllConnections(), waitMs);
  // Not `server.close`, which breaks off connections that have not asked yet.
  await new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
  clearTimeout(late);
  // Ends its timer as well.
  server.close(() => {});
}
