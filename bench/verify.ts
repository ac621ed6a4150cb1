/**
 * Whether answers are right: one request at a time on a connection of its own, its body hashed. Before a
 * measurement the answer must be that of the backend; during it, beside the load, it must stay so.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import type { Scenario } from "./scenarios.ts";

const CHECK_TIMEOUT_MS = 10_000;
/** Between two samples beside the load: they shall cost little of what is measured. */
const SAMPLE_INTERVAL_MS = 100;

/** Status, length and hash of the answer to one request of `scenario`, as text to be compared. */
export function fingerprint(port: number, scenario: Scenario): Promise<string> {
  return scenario.load === "web-socket"
    ? upgradeFingerprint(port, scenario)
    : bodyFingerprint(port, scenario);
}

function bodyFingerprint(port: number, scenario: Scenario): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: "127.0.0.1",
        port,
        path: scenario.path,
        method: scenario.method,
        agent: false,
        timeout: CHECK_TIMEOUT_MS,
        headers: {
          ...scenario.fields,
          ...(scenario.bodyBytes > 0 && { "Content-Length": scenario.bodyBytes }),
        },
      },
      (response) => {
        const hash = createHash("sha256");
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          hash.update(chunk);
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve(`${response.statusCode} with ${bytes} bytes ${hash.digest("hex").slice(0, 12)}`),
        );
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
    request.end(Buffer.alloc(scenario.bodyBytes, "x"));
  });
}

/** Messages are compared by the load itself; here only that a connection is upgraded. */
function upgradeFingerprint(port: number, scenario: Scenario): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: "127.0.0.1",
      port,
      path: scenario.path,
      agent: false,
      timeout: CHECK_TIMEOUT_MS,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    request.on("upgrade", (response, socket) => {
      socket.on("error", () => {});
      socket.destroy();
      resolve(`${response.statusCode} ${response.headers["sec-websocket-accept"]}`);
    });
    request.on("response", (response) => {
      response.resume();
      resolve(`${response.statusCode} instead of an upgrade`);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
    request.end();
  });
}

/** What sampling saw: how many answers, and the first that was wrong, "" for none. */
export interface Samples {
  readonly count: number;
  readonly wrong: string;
}

/** Samples answers until the function returned is called; that resolves to what was seen. */
export function sample(port: number, scenario: Scenario, expected: string): () => Promise<Samples> {
  let isOver = false;
  let count = 0;
  let wrong = "";
  const wake = new AbortController();
  const loop = async () => {
    while (!isOver) {
      const answer = await fingerprint(port, scenario).catch((error: Error) => error.message);
      count++;
      if (answer !== expected && wrong === "") wrong = answer;
      await pause(wake.signal);
    }
  };
  const done = loop();
  return async () => {
    isOver = true;
    wake.abort();
    await done;
    return { count, wrong };
  };
}

/** Resolves after the interval, or when `signal` is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, SAMPLE_INTERVAL_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
