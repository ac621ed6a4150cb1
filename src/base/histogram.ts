/**
 * A log-linear histogram over cells that somebody else owns (a shared segment, or an array).
 *
 * Each power of two is split into 2^`subBits` equal cells, so a recorded value is known to within
 * 1/2^`subBits`: 3 % with the default 5 bits, which keeps a worker's block small; three significant digits
 * with `FINE_SUB_BITS`. The idea is HdrHistogram's (Tene); the layout is fixed, so that histograms of several
 * writers are added cell by cell. Values are whole numbers, 0 <= value < 2^32 (in microseconds: more than an
 * hour); larger ones count as the largest. Every function must be told the `subBits` that the cells were
 * recorded with.
 *
 * @hot
 */
const SUB_BITS = 5;

/** Sub-bits for three significant digits: cells are narrower than 1/1000 of their value. */
export const FINE_SUB_BITS = 10;

/** Cells that one histogram takes: one for each sub-bucket, then the sum of all values. */
export function histogramCells(subBits: number): number {
  return (1 << subBits) * (33 - subBits) + 1;
}

/** `histogramCells` for the default precision. */
export const HISTOGRAM_CELLS = histogramCells(SUB_BITS);

/** Counts `value` in the histogram that begins at `cells[at]`. */
export function histogramRecord(cells: Float64Array, at: number, value: number, subBits = SUB_BITS): void {
  const whole = value < 0 ? 0 : value > 0xffff_ffff ? 0xffff_ffff : value >>> 0;
  const cell = at + cellOf(whole, subBits);
  const sumCell = at + histogramCells(subBits) - 1;
  cells[cell] = cells[cell]! + 1;
  cells[sumCell] = cells[sumCell]! + whole;
}

/** Values counted. */
export function histogramCount(cells: Float64Array, at: number, subBits = SUB_BITS): number {
  const sumCell = histogramCells(subBits) - 1;
  let count = 0;
  for (let i = 0; i < sumCell; i++) count += cells[at + i]!;
  return count;
}

/** Values below 2^`power` that were counted, exact. `power` >= `subBits`. */
export function histogramBelow(cells: Float64Array, at: number, power: number, subBits = SUB_BITS): number {
  const end = Math.min((power - subBits + 1) << subBits, histogramCells(subBits) - 1);
  let count = 0;
  for (let i = 0; i < end; i++) count += cells[at + i]!;
  return count;
}

/** Sum of all values, exact. */
export function histogramSum(cells: Float64Array, at: number, subBits = SUB_BITS): number {
  return cells[at + histogramCells(subBits) - 1]!;
}

/** Arithmetic mean, exact; 0 when empty. */
export function histogramMean(cells: Float64Array, at: number, subBits = SUB_BITS): number {
  const count = histogramCount(cells, at, subBits);
  return count === 0 ? 0 : cells[at + histogramCells(subBits) - 1]! / count;
}

/** Standard deviation of all values, each taken as the middle of its cell; 0 when empty. */
export function histogramDeviation(cells: Float64Array, at: number, subBits = SUB_BITS): number {
  const count = histogramCount(cells, at, subBits);
  if (count === 0) return 0;
  const mean = histogramMean(cells, at, subBits);
  const sumCell = histogramCells(subBits) - 1;
  let squares = 0;
  for (let i = 0; i < sumCell; i++) {
    if (cells[at + i] === 0) continue;
    const distance = (histogramLowerEdge(i, subBits) + histogramUpperEdge(i, subBits)) / 2 - mean;
    squares += cells[at + i]! * distance * distance;
  }
  return Math.sqrt(squares / count);
}

/**
 * The smallest value not exceeded by `fraction` (0…1) of all values, as the upper edge of its cell; 0 when
 * empty.
 */
export function histogramQuantile(
  cells: Float64Array,
  at: number,
  fraction: number,
  subBits = SUB_BITS,
): number {
  const count = histogramCount(cells, at, subBits);
  if (count === 0) return 0;
  const rank = Math.max(1, Math.ceil(fraction * count));
  const sumCell = histogramCells(subBits) - 1;
  let seen = 0;
  for (let i = 0; i < sumCell; i++) {
    seen += cells[at + i]!;
    if (seen >= rank) return histogramUpperEdge(i, subBits);
  }
  return histogramUpperEdge(sumCell - 1, subBits);
}

/** The largest value that counts in `cell` (from 0, relative to the histogram's first cell). */
export function histogramUpperEdge(cell: number, subBits = SUB_BITS): number {
  return histogramLowerEdge(cell + 1, subBits) - 1;
}

/** The smallest value that counts in `cell` (from 0, relative to the histogram's first cell). */
export function histogramLowerEdge(cell: number, subBits = SUB_BITS): number {
  const subCount = 1 << subBits;
  if (cell < subCount) return cell;
  const octave = ((cell / subCount) | 0) - 1;
  return (subCount + (cell % subCount)) * 2 ** octave;
}

function cellOf(value: number, subBits: number): number {
  const subCount = 1 << subBits;
  if (value < subCount) return value;
  const octave = 31 - Math.clz32(value) - subBits;
  return subCount * (octave + 1) + ((value >>> octave) - subCount);
}
