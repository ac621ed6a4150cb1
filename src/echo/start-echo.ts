/** One echo server in this process. */
import type { EngineName, ListenerSource } from "../contract/port.ts";
import { chooseEngine, type EngineChoice, type PassedOver } from "../engine/choose.ts";
import { EchoHandler } from "./echo-handler.ts";

export interface EchoOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  /** Length of a fixed body; absent or -1: tell what the request was. */
  readonly bodyBytes?: number;
  /** Every answer waits this long. Default 0. */
  readonly delayMs?: number;
  /** Default `auto`. */
  readonly engine?: EngineChoice;
  /** Whether other processes listen on the same port (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /** Default 32,768. */
  readonly connectionsMax?: number;
}

export interface Echo {
  /** `127.0.0.1:9001` or `[::1]:9001`. */
  readonly address: string;
  readonly engine: EngineName;
  readonly passedOver: readonly PassedOver[];
  /** Closes every connection and the listener. Idempotent. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 32_768;
/** Slots that are never touched cost nothing. */
const SMALL_SLOTS = 8_192;
const LARGE_SLOTS = 4_096;

/** Throws what `chooseEngine` throws. */
export async function startEcho(options: EchoOptions = {}): Promise<Echo> {
  const listener: ListenerSource = {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    reusePort: options.reusePort ?? false,
  };
  const { engine, passedOver } = await chooseEngine(options.engine ?? "auto", {
    listeners: [listener],
    connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX,
    smallSlots: SMALL_SLOTS,
    largeSlots: LARGE_SLOTS,
  });
  const address = engine.listenerAddresses[0]!;
  const behaviour = { bodyBytes: options.bodyBytes ?? -1, delayMs: options.delayMs ?? 0 };
  const handler = new EchoHandler(engine, behaviour, address);
  engine.start(handler);
  return {
    address,
    engine: engine.name,
    passedOver,
    close: async () => {
      handler.stop();
      await engine.stop();
    },
  };
}
