/**
 * The proxies that are compared: a table of how each is found, built and started.
 *
 * All do the same work: one core, connections kept open on both sides, the forwarding fields
 * X-Forwarded-For, -Proto and -Host added, nothing logged, no health checks. What differs is said in `title`.
 */
import type { Contender } from "./contenders/contender.ts";
import { CADDY, GO } from "./contenders/go.ts";
import { haproxy } from "./contenders/haproxy.ts";
import { nginxProxy } from "./contenders/nginx.ts";
import { NPM_PROXIES } from "./contenders/npm.ts";
import { hpProxy } from "./contenders/own.ts";
import { RELAY } from "./contenders/relay.ts";

/** Why mode tcp has no part in a scenario that counts requests by backend. */
const BALANCES_CONNECTIONS = {
  "backends-3": "it balances connections, not requests",
};

export const PROXIES: readonly Contender[] = [
  hpProxy("hp-uring", "hp-proxy, engine uring", { engine: "uring", usual: true }),
  hpProxy("hp-epoll", "hp-proxy, engine epoll", { engine: "epoll", usual: true }),
  hpProxy("hp-net", "hp-proxy, engine net", { engine: "net", usual: true }),
  nginxProxy("nginx", "nginx", true, true),
  haproxy("haproxy", "HAProxy", true, true),
  CADDY,
  GO,
  ...NPM_PROXIES,
  hpProxy("hp-tcp", "hp-proxy, engine uring, mode tcp", {
    engine: "uring",
    mode: "tcp",
    usual: true,
    cannot: BALANCES_CONNECTIONS,
  }),
  RELAY,
  hpProxy("hp-uring-2", "hp-proxy, engine uring, 2 workers", { engine: "uring", workers: 2, usual: false }),
  hpProxy("hp-epoll-2", "hp-proxy, engine epoll, 2 workers", { engine: "epoll", workers: 2, usual: false }),
  hpProxy("hp-net-2", "hp-proxy, engine net, 2 workers", { engine: "net", workers: 2, usual: false }),
  hpProxy("hp-tcp-epoll", "hp-proxy, engine epoll, mode tcp", {
    engine: "epoll",
    mode: "tcp",
    usual: false,
    cannot: BALANCES_CONNECTIONS,
  }),
  hpProxy("hp-tcp-net", "hp-proxy, engine net, mode tcp", {
    engine: "net",
    mode: "tcp",
    usual: false,
    cannot: BALANCES_CONNECTIONS,
  }),
  nginxProxy("nginx-bare", "nginx without forwarding fields", false, false),
  haproxy("haproxy-bare", "HAProxy without forwarding fields", false, false),
];
