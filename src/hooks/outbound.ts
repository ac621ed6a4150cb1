/** How links of our own reach other servers: by Node's clients. A simulation brings connections of its own. */
import http from "node:http";
import https from "node:https";

export interface Outbound {
  /**
   * Makes and keeps connections, up to `freeMax` idle ones. `isAwaited`: exchanges stand still for what is asked there.
   */
  agent(isSecure: boolean, freeMax: number, isAwaited: boolean): http.Agent;
}

export const REAL_OUTBOUND: Outbound = {
  agent: (isSecure, maxFreeSockets) =>
    new (isSecure ? https.Agent : http.Agent)({ keepAlive: true, maxFreeSockets }),
};
