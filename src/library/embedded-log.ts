/** The log of an embedded proxy: records for code, and lines on standard error where they are asked for. */
import type { LogConfiguration } from "../control/configuration.ts";
import { type Log, openLog } from "../control/log.ts";
import type { LogLevel, LogRecord } from "./proxy.ts";

export const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];

/** What `createProxy` takes as `log`. */
export type LogOption = false | LogLevel | ((record: LogRecord) => void);

/** Every record goes to `tell`; with a level, those from it on are printed as the configuration's `format` says. */
export function openEmbeddedLog(
  wanted: LogOption,
  format: LogConfiguration["format"],
  tell: (record: LogRecord) => void,
): Log {
  const printed = typeof wanted === "string" ? openLog({ level: wanted, format }) : undefined;
  const methods = LEVELS.map((level) => {
    const write = (first: unknown, text?: unknown) => {
      tell({ atMs: Date.now(), level, ...recordOf(first, text) });
      const [fields, message] = typeof first === "string" ? [{}, first] : [first, String(text ?? "")];
      printed?.[level](fields, message);
    };
    return [level, write];
  });
  // The configuration's level is that of the command: here the program decides.
  return { ...(Object.fromEntries(methods) as Omit<Log, "level">), level: "trace" };
}

function recordOf(first: unknown, text: unknown): Pick<LogRecord, "message" | "fields"> {
  if (typeof first === "string") return { message: first, fields: {} };
  if (first instanceof Error) return { message: String(text ?? first.message), fields: { error: first } };
  return { message: String(text ?? ""), fields: { ...(first as object) } };
}
