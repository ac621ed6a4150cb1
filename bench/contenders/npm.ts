/** Proxies of the npm registry, kept in the cache folder. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { cacheDirectory } from "../cache.ts";
import { type Contender, type Found, ONE_BACKEND, PEERS } from "./contender.ts";

/** What `bench/run.sh --install` installs into the cache: versions that this comparison was tried with. */
export const NPM_PACKAGES: readonly string[] = [
  "http-proxy@1.18.1",
  "httpxy@0.5.6",
  "fast-proxy@2.2.0",
  "fastify@5.12.8",
  "@fastify/http-proxy@11.6.3",
];

export const NPM_PROXIES: readonly Contender[] = [
  npmProxy("http-proxy", "http-proxy"),
  npmProxy("httpxy", "httpxy"),
  npmProxy("fast-proxy", "fast-proxy", { "web-socket": "it passes no upgrades" }),
  npmProxy("fastify", "@fastify/http-proxy"),
];

function npmProxy(name: string, packageName: string, cannot: Contender["cannot"] = {}): Contender {
  return {
    name,
    title: `npm ${packageName}`,
    usual: true,
    cannot: { ...ONE_BACKEND, ...cannot },
    find: () => findPackage(packageName),
  };
}

async function findPackage(packageName: string): Promise<Found | string> {
  const modules = path.join(cacheDirectory(), "npm");
  const manifest = path.join(modules, "node_modules", packageName, "package.json");
  if (!existsSync(manifest)) return "not installed; run bench/run.sh --install";
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    version: `${packageName} ${version} on Node ${process.versions.node}`,
    argv: (port, [backendPort]) => [
      process.execPath,
      "--disable-warning=DEP0060",
      path.join(PEERS, "npm", "main.ts"),
      ...[packageName, String(port), String(backendPort), modules],
    ],
    env: { NODE_ENV: "production" },
  };
}
