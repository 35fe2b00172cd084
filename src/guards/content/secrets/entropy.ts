/** How random bytes look. */

/** Bytes that are looked at, at most. */
const MOST = 128;

const LOG2 = Float64Array.from({ length: MOST + 1 }, (_, count) => Math.log2(count));

/** Shannon's entropy of at most 128 bytes of a folded text, bits per byte. */
export function entropyOf(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + MOST);
  const counts = new Uint8Array(256);
  for (let index = start; index < last; index++) {
    const code = bytes[index] as number;
    counts[code] = (counts[code] as number) + 1;
  }
  let bits = 0;
  for (let index = start; index < last; index++) bits += LOG2[counts[bytes[index] as number] as number] as number;
  return (LOG2[last - start] as number) - bits / (last - start);
}
