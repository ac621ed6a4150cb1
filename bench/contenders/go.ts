/** Proxies in Go: the standard library's, and Caddy. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cacheDirectory } from "../cache.ts";
import { runToEnd, versionLine } from "../programs.ts";
import { type Contender, type Found, IDLE_SECONDS, ONE_BACKEND, PEERS } from "./contender.ts";

export const GO: Contender = {
  name: "go",
  title: "Go httputil.ReverseProxy",
  usual: true,
  cannot: ONE_BACKEND,
  find: findGo,
};

export const CADDY: Contender = { name: "caddy", title: "Caddy", usual: true, find: findCaddy };

async function findGo(directory: string): Promise<Found | string> {
  const version = versionLine(["go", "version"], /go[\d.]+/);
  if (version === undefined) return "Go is not installed";
  const program = path.join(directory, "reverseproxy");
  await runToEnd(["go", "build", "-C", path.join(PEERS, "go"), "-o", program, "."], {
    core: undefined,
  }).catch(() =>
    // `-C` came with Go 1.20.
    runToEnd(["go", "build", "-o", program, path.join(PEERS, "go", "main.go")], { core: undefined }),
  );
  return {
    version,
    argv: (port, [backendPort]) => [program, `127.0.0.1:${port}`, `127.0.0.1:${backendPort}`],
    env: { GOMAXPROCS: "1" },
  };
}

/** From PATH, or unpacked into the cache by `bench/run.sh --install`. */
async function findCaddy(directory: string): Promise<Found | string> {
  const cached = path.join(cacheDirectory(), "debian", "usr", "bin", "caddy");
  const program = existsSync(cached) ? cached : "caddy";
  const version = versionLine([program, "version"], /v?\d+\.[\d.]+/);
  if (version === undefined) return "Caddy is not installed; run bench/run.sh --install";
  const files: string[] = [];
  return {
    version: `Caddy ${version.replace(/^v/, "")}`,
    files,
    argv: (port, backendPorts) => {
      const file = path.join(directory, `caddy-${port}.json`);
      writeFileSync(file, JSON.stringify(caddyConfiguration(port, backendPorts), undefined, 2));
      files.push(file);
      return [program, "run", "--config", file];
    },
    // Caddy keeps certificates and its last configuration under these.
    env: { GOMAXPROCS: "1", XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
  };
}

function caddyConfiguration(port: number, backendPorts: readonly number[]): object {
  return {
    admin: { disabled: true, config: { persist: false } },
    logging: { logs: { default: { level: "ERROR" } } },
    apps: {
      http: {
        servers: {
          proxy: {
            listen: [`127.0.0.1:${port}`],
            automatic_https: { disable: true },
            idle_timeout: `${IDLE_SECONDS}s`,
            routes: [{ handle: [caddyHandler(backendPorts)] }],
          },
        },
      },
    },
  };
}

/** Forwarding fields are added by default. */
function caddyHandler(backendPorts: readonly number[]): object {
  return {
    handler: "reverse_proxy",
    upstreams: backendPorts.map((each) => ({ dial: `127.0.0.1:${each}` })),
    load_balancing: { selection_policy: { policy: "round_robin" } },
    transport: {
      protocol: "http",
      compression: false,
      keep_alive: {
        enabled: true,
        max_idle_conns: 1024,
        max_idle_conns_per_host: 1024,
        idle_timeout: `${IDLE_SECONDS}s`,
      },
    },
  };
}
