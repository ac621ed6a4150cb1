/** Medians and spreads of a few rounds: rounds are few and outliers common, so means are not used. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** All three NaN for no values. The median of an even count is the mean of the middle two. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/**
 * Ratios of values measured in the same round: what disturbed a whole round drops out. Rounds that either side
 * lacks (undefined) do not count.
 */
export function pairedRatios(
  values: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): number[] {
  return values.flatMap((value, round) => {
    const other = others[round];
    return value === undefined || other === undefined || other === 0 ? [] : [value / other];
  });
}

/** Median of `pairedRatios`; NaN when no round is left. */
export function pairedRatio(
  values: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): Spread {
  return spread(pairedRatios(values, others));
}

/** Three significant digits; thousands as they are; "–" for NaN. */
export function writeNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** `median (min–max)`, or the median alone when all values are the same in print. */
export function writeSpread(of: Spread): string {
  const [median, min, max] = [of.median, of.min, of.max].map(writeNumber);
  return min === max ? median! : `${median} (${min}–${max})`;
}

/** Rows as a Markdown table with aligned columns: the first to the left, the others to the right. */
export function writeTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => pad(cells[column] ?? "", width, column)).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => "-".repeat(width + 1) + (column === 0 ? "-" : ":")).join("|")}|`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}
