/** Pages of lists. */
import type { ListOrder } from "../../engine/ports/run-index.ts";

/** Default page size. */
export const DEFAULT_PAGE_SIZE = 50;
/** Largest page size; higher requests are lowered to it. */
export const MAX_PAGE_SIZE = 500;

/** Order for a validated `order_by`; `absent` if it is empty. */
export function orderOf(orderBy: string, absent: ListOrder): ListOrder {
  if (orderBy === "") return absent;
  return orderBy.endsWith(" desc") ? "newest" : "oldest";
}

/** Page size for a validated `page_size`. */
export function pageSizeOf(requested: number): number {
  return requested === 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
}

/** A page and the place after which the next one begins; null at the end. */
export interface Page<T, P> {
  readonly lines: readonly T[];
  readonly next: P | null;
}

/** Makes a page of `size` from lines that were read with a limit of `size + 1`. */
export function cutPage<T, P>(lines: readonly T[], size: number, placeOf: (line: T) => P): Page<T, P> {
  const last = lines[size - 1];
  return lines.length > size && last !== undefined
    ? { lines: lines.slice(0, size), next: placeOf(last) }
    : { lines, next: null };
}

/** How many lines a filtered list reads for one page; then it returns the incomplete page with a token. */
const MAX_SCANNED = 2_000;

/** Reads a list from a place, without a filter. */
export interface Source<T, P> {
  read(after: P | null, limit: number): Promise<readonly T[]>;
  placeOf(line: T): P;
}

/** A page of the lines that meet a condition. Reads until the page is full, the list ends, or the limit is reached. */
export async function scanPage<T, P>(
  source: Source<T, P>,
  start: P | null,
  size: number,
  meets: (line: T) => boolean,
): Promise<Page<T, P>> {
  const lines: T[] = [];
  const limit = Math.max(size + 1, 100);
  let after = start;
  let scanned = 0;
  for (;;) {
    const batch = await source.read(after, limit);
    for (const [index, line] of batch.entries()) {
      after = source.placeOf(line);
      scanned += 1;
      if (meets(line)) lines.push(line);
      const isLast = index === batch.length - 1 && batch.length < limit;
      if (!isLast && (lines.length === size || scanned >= MAX_SCANNED)) return { lines, next: after };
    }
    if (batch.length < limit) return { lines, next: null };
  }
}
