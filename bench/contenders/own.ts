/** hp-proxy itself, from this checkout or another one. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Contender, IDLE_SECONDS, ROOT } from "./contender.ts";
import { installed } from "./installed.ts";

export interface OwnSettings {
  readonly engine: "uring" | "epoll" | "net";
  readonly mode?: "http" | "tcp";
  readonly workers?: number;
  readonly usual: boolean;
  /** The checkout whose code runs; this one where it is not said. */
  readonly root?: string;
  readonly cannot?: Readonly<Record<string, string>>;
}

/** hp-proxy with a configuration that does what the peers are set up to do. */
export function hpProxy(name: string, title: string, settings: OwnSettings): Contender {
  const { engine, mode = "http", workers = 1, usual, root = ROOT, cannot } = settings;
  return {
    name,
    title,
    usual,
    usesAllCores: workers > 1,
    ...(cannot && { cannot }),
    async find() {
      const file = path.join(root, "src", "engine", engine, `${engine}-engine.ts`);
      if (!existsSync(file)) return `this checkout has no engine ${engine}`;
      return {
        version: ownVersion(root),
        argv: (port, backendPorts) => [
          ...ownCommand("hp-proxy", root),
          ...["--listen", `127.0.0.1:${port}`],
          ...["--backends", backendPorts.map((each) => `127.0.0.1:${each}`).join(",")],
          ...["--workers", String(workers), "--engine", engine, "--mode", mode],
          ...["--affinity", "off", "--health", "off", "--log-level", "warn"],
          ...["--client-idle-timeout", `${IDLE_SECONDS}s`, "--pool-idle-timeout", `${IDLE_SECONDS}s`],
        ],
      };
    },
  };
}

/** The command `name` of the checkout `root`, as it is installed, under the Node that runs this script. */
export function ownCommand(name: string, root = ROOT): readonly string[] {
  return [process.execPath, path.join(installed(root), "bin", name)];
}

export function ownVersion(root = ROOT): string {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}
