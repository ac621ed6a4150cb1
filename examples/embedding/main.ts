import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Config, createProxy, type EmbeddedProxy } from "hp-proxy";

export interface Running {
  readonly proxy: EmbeddedProxy;
  readonly address: string;
  /** Another name in the `Via` field from the next request on. */
  rename(viaName: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts both. `listen`: where the proxy accepts. */
export async function start(listen: `${string}:${number}`): Promise<Running> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/plain");
    response.end(`own server: ${request.url}, by way of ${request.headers.via}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  const configuration = (viaName: string): Config => ({ listen, backends: [`127.0.0.1:${port}`], viaName });
  const proxy = createProxy(configuration("first"), { log: "warn" });
  proxy.on("endpoint", ({ name, up }) => process.stdout.write(`${name} is ${up ? "up" : "down"}\n`));
  const [address = ""] = await proxy.listen();
  return {
    proxy,
    address,
    async rename(viaName) {
      await proxy.reload(configuration(viaName));
    },
    async stop() {
      await proxy.close({ drainTimeout: "10s" });
      server.closeAllConnections();
      server.close();
    },
  };
}

if (import.meta.main) {
  const { address, stop } = await start("127.0.0.1:8080");
  process.stdout.write(`listening on ${address}\n`);
  process.once("SIGINT", () => void stop());
}
