/** The log of the proxy: pino to standard error, as text for people or as JSON lines for machines. */
import { destination, type Logger, pino, stdTimeFunctions } from "pino";
import pretty from "pino-pretty";
import type { LogConfiguration } from "./configuration.ts";

export type Log = Pick<Logger, "trace" | "debug" | "info" | "warn" | "error"> & { level: string };

const STANDARD_ERROR = 2;

/**
 * Writes are synchronous, so that the last words before an exit are not lost; the data plane never waits for
 * them.
 */
export function openLog({ level, format }: LogConfiguration): Log {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime };
  if (format === "json") return pino(options, destination({ dest: STANDARD_ERROR, sync: true }));
  const stream = pretty({
    destination: STANDARD_ERROR,
    sync: true,
    colorize: process.stderr.isTTY === true && process.env.NO_COLOR === undefined,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
  });
  return pino(options, stream);
}
