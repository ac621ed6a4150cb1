/**
 * A log-linear histogram over cells that somebody else owns (a shared segment, or an array).
 *
 * Each power of two is split into 2^`SUB_BITS` equal cells, so a recorded value is known to within 1/32 (3 %). The idea is
 * HdrHistogram's (Tene); the layout is fixed, so that blocks of several workers are added cell by cell.
 * Values are whole numbers, 0 <= value < 2^32; larger ones count as the largest.
 *
 * @hot
 */
const SUB_BITS = 5;
const SUB_COUNT = 1 << SUB_BITS;
const OCTAVES = 32 - SUB_BITS;

/** Cells that one histogram takes: one for each sub-bucket, then the sum of all values. */
export const HISTOGRAM_CELLS = SUB_COUNT * (OCTAVES + 1) + 1;
const SUM_CELL = HISTOGRAM_CELLS - 1;

/** Counts `value` in the histogram that begins at `cells[at]`. */
export function histogramRecord(cells: Float64Array, at: number, value: number): void {
  const whole = value < 0 ? 0 : value > 0xffff_ffff ? 0xffff_ffff : value >>> 0;
  const cell = at + cellOf(whole);
  cells[cell] = cells[cell]! + 1;
  cells[at + SUM_CELL] = cells[at + SUM_CELL]! + whole;
}

/** Values counted. */
export function histogramCount(cells: Float64Array, at: number): number {
  let count = 0;
  for (let i = 0; i < SUM_CELL; i++) count += cells[at + i]!;
  return count;
}

/** Arithmetic mean, exact; 0 when empty. */
export function histogramMean(cells: Float64Array, at: number): number {
  const count = histogramCount(cells, at);
  return count === 0 ? 0 : cells[at + SUM_CELL]! / count;
}

/** The smallest value not exceeded by `fraction` (0…1) of all values, as the upper edge of its cell; 0 when empty. */
export function histogramQuantile(cells: Float64Array, at: number, fraction: number): number {
  const count = histogramCount(cells, at);
  if (count === 0) return 0;
  const rank = Math.max(1, Math.ceil(fraction * count));
  let seen = 0;
  for (let i = 0; i < SUM_CELL; i++) {
    seen += cells[at + i]!;
    if (seen >= rank) return upperEdgeOf(i);
  }
  return upperEdgeOf(SUM_CELL - 1);
}

function cellOf(value: number): number {
  if (value < SUB_COUNT) return value;
  const octave = 31 - Math.clz32(value) - SUB_BITS;
  return SUB_COUNT * (octave + 1) + ((value >>> octave) - SUB_COUNT);
}

function upperEdgeOf(cell: number): number {
  if (cell < SUB_COUNT) return cell;
  const octave = ((cell / SUB_COUNT) | 0) - 1;
  return (SUB_COUNT + (cell % SUB_COUNT) + 1) * 2 ** octave - 1;
}
