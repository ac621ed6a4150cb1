/** Clients that connect anew for each request: whoever listens, they must be let in. */
import assert from "node:assert/strict";
import { connect } from "node:net";

/** Clients that connect anew for each request, until `stop`; resolves with how many were served. */
export function connectAgainAndAgain(port: number): { stop(): Promise<number> } {
  let isOver = false;
  const served = (async () => {
    let count = 0;
    for (; !isOver; count++) {
      const answer = await once(port);
      assert.match(answer, /^HTTP\/1\.1 200 /);
    }
    return count;
  })();
  served.catch(() => {});
  return {
    stop() {
      isOver = true;
      return served;
    },
  };
}

/** All that one GET on a new connection brings. */
export function once(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (piece) => {
      text += String(piece);
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
    socket.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  });
}
