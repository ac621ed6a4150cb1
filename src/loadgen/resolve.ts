/** Finds the one address that a run connects to. */
import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import type { Target } from "./target.ts";

/** Longest wait for an answer when a name has several addresses. */
const PROBE_TIMEOUT_MS = 3000;

/**
 * The target's address as `Port.connect` takes it. Where a name has several addresses the first one that
 * answers is taken (`localhost` may be served on IPv4 or IPv6 only); when none does, the first. Throws when
 * the name is unknown.
 */
export async function resolveAddress(target: Target): Promise<string> {
  if (target.socketPath !== "") return `unix:${target.socketPath}`;
  if (isIP(target.host) !== 0) return joinAddress(target.host, target.port);
  const found = await lookup(target.host, { all: true, order: "ipv4first" });
  const addresses = found.map(({ address }) => address);
  if (addresses.length > 1) {
    for (const address of addresses) {
      if (await answers(address, target.port)) return joinAddress(address, target.port);
    }
  }
  return joinAddress(addresses[0]!, target.port);
}

function joinAddress(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const settle = (isAnswer: boolean) => {
      socket.destroy();
      resolve(isAnswer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("timeout", () => settle(false));
  });
}
