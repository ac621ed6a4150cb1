/**
 * Says what has reached it: the length and the hash of each request's body. It stands behind the backend, so
 * that uploads through a proxy can be compared byte by byte. Nothing here is hp-proxy's own: what loses bytes
 * must not be what counts them.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

/** Listens on the Unix socket `file` until this process ends; keeps it from ending no longer than others do. */
export async function mirror(file: string): Promise<void> {
  const server = http.createServer((request, response) => {
    const hash = createHash("sha256");
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    request.on("error", () => {});
    request.on("end", () => response.end(`${bytes} bytes ${hash.digest("hex")}`));
  });
  server.listen(file).unref();
  await once(server, "listening");
}
