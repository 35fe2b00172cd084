/** Largest page to request. */
const PAGE_SIZE = 200;

/** A page of a list. */
export interface Page<T> {
  readonly lines: readonly T[];
  /** Token of the next page; empty at the end. */
  readonly next: string;
}

/** Reads the first `limit` lines of a list, page by page. */
export async function readPages<T>(
  limit: number,
  read: (pageToken: string, pageSize: number) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const lines: T[] = [];
  let token = "";
  do {
    const page = await read(token, Math.min(PAGE_SIZE, limit - lines.length));
    for (const line of page.lines) lines.push(line);
    token = page.next;
  } while (token !== "" && lines.length < limit);
  return lines.slice(0, limit);
}
