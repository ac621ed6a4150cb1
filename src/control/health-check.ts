/**
 * One health check of one endpoint. Always a new connection: whether one can be had is part of the question.
 */
import { type ClientRequest, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { HealthConfiguration } from "./configuration.ts";

/** `Port.connect`'s form of an address, as node:net takes it. */
export function socketTarget(address: string): { host: string; port: number } | { path: string } {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon);
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(address.slice(colon + 1)),
  };
}

/**
 * "" when good, else why not, in words. Never rejects. Ends within `timeoutMs`, or as failed when `signal`
 * aborts.
 */
export function checkEndpoint(
  address: string,
  name: string,
  health: HealthConfiguration,
  signal: AbortSignal,
): Promise<string> {
  return health.kind === "http"
    ? checkHttp(address, name, health, signal)
    : checkTcp(address, health.timeoutMs, signal);
}

/** "" when a connection could be opened. */
export function checkTcp(address: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(socketTarget(address));
    const finish = once(resolve, timeoutMs, signal, socket);
    socket.on("connect", () => finish(""));
    socket.on("error", (error) => finish(reasonOf(error)));
  });
}

function checkHttp(
  address: string,
  name: string,
  { path, expect, timeoutMs }: HealthConfiguration,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve) => {
    const target = socketTarget(address);
    const probe = request({
      ...("path" in target ? { socketPath: target.path } : target),
      path,
      agent: false,
      headers: {
        host: "path" in target ? "localhost" : name,
        "user-agent": "hp-proxy-health",
        accept: "*/*",
        connection: "close",
      },
    });
    const finish = once(resolve, timeoutMs, signal, probe);
    probe.on("response", (response) => finish(verdictOf(response.statusCode ?? 0, expect)));
    probe.on("error", (error) => finish(reasonOf(error)));
    probe.end();
  });
}

function verdictOf(status: number, expect: HealthConfiguration["expect"]): string {
  const good =
    (status >= 200 && status < 400) ||
    (expect === "any" && ((status >= 400 && status < 500) || status === 501));
  return good ? "" : `answered ${status}`;
}

/** The first outcome counts: it ends the timer and the connection, and whatever follows is ignored. */
function once(
  resolve: (reason: string) => void,
  timeoutMs: number,
  signal: AbortSignal,
  connection: Socket | ClientRequest,
): (reason: string) => void {
  let open = true;
  const finish = (reason: string) => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    connection.destroy();
    resolve(reason);
  };
  const abort = () => finish("stopped");
  const timer = setTimeout(() => finish(`no answer within ${timeoutMs} ms`), timeoutMs);
  signal.addEventListener("abort", abort);
  return finish;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
