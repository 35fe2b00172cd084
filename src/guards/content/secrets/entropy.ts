/** How random bytes look. */

/** Bytes that are looked at, at most. */
const MOST = 128;

const LOG2 = Float64Array.from({ length: MOST + 1 }, (_, count) => Math.log2(count));

/** How often each byte stands there; all 0 between two calls. */
const counts = new Uint8Array(256);

/** Shannon's entropy of at most 128 bytes of a folded text, bits per byte. */
export function entropyOf(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + MOST);
  for (let index = start; index < last; index++) {
    const code = bytes[index] as number;
    counts[code] = (counts[code] as number) + 1;
  }
  // A byte that stands n times counts n times at its first place, and no more.
  let bits = 0;
  for (let index = start; index < last; index++) {
    const code = bytes[index] as number;
    const count = counts[code] as number;
    if (count === 0) continue;
    bits += count * (LOG2[count] as number);
    counts[code] = 0;
  }
  return (LOG2[last - start] as number) - bits / (last - start);
}
