/**
 * Where peers that are no dependency of this package are kept: installed by `bench/run.sh --install`, found
 * again by later runs. HP_PROXY_BENCH_CACHE names another folder.
 */
import os from "node:os";
import path from "node:path";

export function cacheDirectory(): string {
  const named = process.env.HP_PROXY_BENCH_CACHE;
  if (named !== undefined && named !== "") return path.resolve(named);
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  return path.join(base, "hp-proxy-bench");
}
