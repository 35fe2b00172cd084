/** "Did you mean": suggests the nearest known word. */

/**
 * How many candidates one suggestion compares in full. A hostile flow has thousands of wrong words and thousands of
 * ids.
 */
const MAX_COMPARED = 50;
/** Maximum edit distance of a suggestion. */
const MAX_DISTANCE = 3;

/** Returns `; did you mean "x"?` for the nearest of `known`, or an empty string. */
export function suggest(word: string, known: readonly string[]): string {
  if (word.length < 3 || word.length > 64) return "";
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.min(MAX_DISTANCE, Math.floor(word.length / 3)) + 1;
  let compared = 0;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    if (other.startsWith(wanted) && bestDistance > 1) {
      best = candidate;
      bestDistance = 1;
    }
    const isNear = other[0] === wanted[0] || other.at(-1) === wanted.at(-1);
    if (!isNear || Math.abs(other.length - wanted.length) >= bestDistance) continue;
    if (++compared > MAX_COMPARED) break;
    const distance = editDistance(wanted, other, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined || best === word ? "" : `; did you mean "${best}"?`;
}

/**
 * Number of insertions, deletions, substitutions, and swaps of adjacent characters between two words; at most `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? limit;
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isSame ? 0 : 1),
          isSwap ? at(row - 2, column - 2) + 1 : limit,
        ),
      );
    }
    if (Math.min(...current) >= limit && Math.min(...(rows[row - 1] ?? [])) >= limit) return limit;
  }
  return at(a.length, b.length);
}
