/** Numbers as people write them on a command line, and as people read them in a report. */

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;
const COUNT = /^(\d+(?:\.\d+)?)(k|m)?$/i;

/**
 * Milliseconds of `10`, `10s`, `250ms`, `2m` or `1h`; a bare number is seconds. NaN when it is none of these.
 */
export function readDurationMs(text: string): number {
  const match = DURATION.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * DURATION_UNITS[match[2] ?? "s"]!;
}

/** The number in `5000`, `5k` or `1.5m`; NaN when it is none of these. */
export function readCount(text: string): number {
  const match = COUNT.exec(text);
  if (match === null) return Number.NaN;
  const unit = match[2]?.toLowerCase();
  return Number(match[1]) * (unit === "k" ? 1e3 : unit === "m" ? 1e6 : 1);
}

/** `1,234,567`. */
export function writeCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A latency with three significant digits: `85 µs`, `1.23 ms`, `2.05 s`. */
export function writeMicroseconds(us: number): string {
  if (us < 1000) return `${us < 100 ? Number(us.toFixed(1)) : Math.round(us)} µs`;
  if (us < 1e6) return `${threeDigits(us / 1e3)} ms`;
  return `${threeDigits(us / 1e6)} s`;
}

/** `13 B`, `1.20 MiB`. */
export function writeBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${units[unit]}`;
}

/** `500 ms`, `10 s`, `2.5 s`. */
export function writeDuration(ms: number): string {
  return ms < 1000 ? `${Number(ms.toFixed(1))} ms` : `${Number((ms / 1000).toFixed(1))} s`;
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
