/** A real proxy with a configuration file that a test changes while it runs. */
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { askReload } from "../../src/control/control-socket.ts";
import type { ReloadResult } from "../../src/control/reload.ts";
import { ProxyProcess, type Scope, temporaryFolder } from "../e2e/proxy-process.ts";

export class ConfiguredProxy {
  readonly process: ProxyProcess;
  readonly file: string;

  /** Starts `hp-proxy run` where `configuration` is `hp-proxy.config.json`; resolves when it accepts. */
  static async start(
    scope: Scope,
    configuration: object,
    argv: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ConfiguredProxy> {
    const file = path.join(temporaryFolder(scope), "hp-proxy.config.json");
    writeFileSync(file, JSON.stringify(configuration));
    const proxy = new ConfiguredProxy(scope, file, argv, environment);
    await proxy.process.log(({ msg }) => msg.startsWith("listening on "));
    return proxy;
  }

  private constructor(
    scope: Scope,
    file: string,
    argv: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    this.file = file;
    const all = ["run", "--log-format", "json", ...argv];
    this.process = new ProxyProcess(scope, all, environment, path.dirname(file));
  }

  get controlPath(): string {
    return path.join(this.process.runtimeFolder, "hp-proxy", `${this.process.child.pid}.sock`);
  }

  /** Ports of the listeners as they were at the start, in their order. */
  get ports(): number[] {
    const addresses = /listening on (.*?), \d+ workers?,/.exec(this.process.listening)?.[1] ?? "";
    return addresses.split(", ").map((address) => Number(address.slice(address.lastIndexOf(":") + 1)));
  }

  /** Replaces the file, at once and whole. */
  write(configuration: object | string): void {
    const text = typeof configuration === "string" ? configuration : JSON.stringify(configuration);
    writeFileSync(`${this.file}.new`, text);
    renameSync(`${this.file}.new`, this.file);
  }

  reload(): Promise<ReloadResult> {
    return askReload(this.controlPath);
  }
}
