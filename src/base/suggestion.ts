/** "Did you mean …?": the known word nearest to what somebody typed. */

/**
 * Insertions, deletions, replacements and swaps of neighbours that turn `from` into `to` (optimal string
 * alignment).
 */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, before[column - 2]! + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length]!;
}

/** The nearest of `words`, when near enough to be what was meant; "" otherwise. */
export function nearest(typed: string, words: readonly string[]): string {
  const limit = Math.max(1, Math.min(3, Math.floor(typed.length / 3)));
  let best = "";
  let bestDistance = limit + 1;
  for (const word of words) {
    const shortened = typed.length >= 4 && word.startsWith(typed);
    const distance = shortened ? Math.min(1, limit) : editDistance(typed, word);
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}
