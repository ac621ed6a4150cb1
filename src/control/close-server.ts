/** How the servers end that answer questions about the proxy. */
import type { Server } from "node:http";

/** For answers that are under way. */
const CLOSE_MS_MAX = 500;

/** Nobody is let in any more; who was, gets an answer. Resolves when all are gone. */
export async function closeServer(server: Server): Promise<void> {
  const late = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(late);
}
