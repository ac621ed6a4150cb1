/**
 * Opens keep-alive connections, sends one request on each and then leaves them alone. A process of its own,
 * so that its memory and descriptors are not those of what is measured.
 *
 *     node idle-clients.ts PORT CONNECTIONS SOURCE-ADDRESS     (started with an IPC channel)
 *
 * Sends `{ open, failed }` when every connection has its answer or has failed. Answers any message with the
 * same figures as they are then; ends with its parent.
 */
import { connect, type Socket } from "node:net";

/** Connections that wait for their answer at one time: few, so that the proxy's pool stays small. */
const OPENING_MAX = 32;
const ANSWER_TIMEOUT_MS = 20_000;
/**
 * Ports are named, from here on: when thousands are taken, the kernel needs a millisecond to find a free one.
 * Below the range that it gives out itself.
 */
const SOURCE_PORT_START = 10_000;
const SOURCE_PORT_END = 32_768;
const REQUEST = "GET / HTTP/1.1\r\nHost: idle.example\r\n\r\n";
/** How the body of every answer ends. */
const ANSWER_END = "hello, world!";

/** What a process of idle clients reports. */
export interface IdleFigures {
  readonly open: number;
  readonly failed: number;
}

function openAll(port: number, connections: number, localAddress: string): void {
  let begun = 0;
  let open = 0;
  let failed = 0;
  let localPort = SOURCE_PORT_START;
  const report = () => process.send!({ open, failed } satisfies IdleFigures);
  const next = () => {
    if (open + failed === connections) report();
    else if (begun < connections) openOne();
  };
  const openOne = () => {
    begun++;
    let answered = false;
    if (localPort === SOURCE_PORT_END) throw new Error(`${localAddress}: no ports are left`);
    const socket: Socket = connect({ port, host: "127.0.0.1", localAddress, localPort: localPort++ });
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on("connect", () => socket.write(REQUEST));
    socket.on("data", (chunk) => {
      if (answered || !chunk.toString("latin1").endsWith(ANSWER_END)) return;
      answered = true;
      socket.setTimeout(0);
      open++;
      next();
    });
    let taken = false;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      taken = error.code === "EADDRINUSE" || error.code === "EADDRNOTAVAIL";
    });
    socket.on("close", () => {
      if (taken) {
        begun--;
        next();
        return;
      }
      failed++;
      if (answered) open--;
      else next();
    });
  };
  process.on("message", report);
  process.on("disconnect", () => process.exit(0));
  for (let i = 0; i < OPENING_MAX && i < connections; i++) openOne();
}

if (import.meta.main) {
  const [port, connections, localAddress] = process.argv.slice(2);
  openAll(Number(port), Number(connections), localAddress!);
}
