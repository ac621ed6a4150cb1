/**
 * Has Node collect its garbage before its memory is read: how much of it lies about depends on when it ran last, and
 * makes more than thousands of connections do.
 *
 * Strategy: processes of Node that are started with `INSPECTABLE` write to standard error where their inspector
 * listens, those that they start as well. It is asked over a WebSocket (Chrome DevTools Protocol, HeapProfiler).
 */
import { once } from "node:events";

/** Environment of programs of which `collectGarbage` is to be asked; means something to Node alone. */
export const INSPECTABLE: Readonly<Record<string, string>> = {
  NODE_OPTIONS: [process.env.NODE_OPTIONS ?? "", "--inspect=127.0.0.1:0"].join(" ").trim(),
};
const ADDRESSES = /\bws:\/\/\S+/g;
const TIMEOUT_MS = 10_000;
/** V8 drops compiled code that so many collections have found unused: once it has, further ones change nothing. */
const COLLECTIONS = 10;
const COMMANDS = [
  "HeapProfiler.enable",
  ...Array.from({ length: COLLECTIONS }, () => "HeapProfiler.collectGarbage"),
];

/**
 * Every process whose inspector's address is in `output` collects all its garbage. Returns how many there are; rejects
 * where one does not answer.
 */
export async function collectGarbage(output: string): Promise<number> {
  const urls = new Set(output.match(ADDRESSES));
  for (const url of urls) await collect(url);
  return urls.size;
}

async function collect(url: string): Promise<void> {
  const socket = new WebSocket(url);
  const end = new AbortController();
  const isClosed = () => end.abort(new Error("the connection has ended"));
  socket.addEventListener("error", isClosed);
  socket.addEventListener("close", isClosed);
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    await once(socket, "open", { signal });
    for (const [id, method] of COMMANDS.entries()) {
      socket.send(JSON.stringify({ id, method }));
      await answered(socket, id, signal);
    }
  } catch (error) {
    const reason = (signal.aborted ? signal.reason : error) as Error;
    throw new Error(`${url} does not answer: ${reason.message}`);
  } finally {
    socket.close();
  }
}

/** Other messages are of no interest. */
async function answered(socket: WebSocket, id: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const [event] = (await once(socket, "message", { signal })) as [MessageEvent<string>];
    const message = JSON.parse(event.data) as { id?: number; error?: { message: string } };
    if (message.id !== id) continue;
    if (message.error !== undefined) throw new Error(message.error.message);
    return;
  }
}
