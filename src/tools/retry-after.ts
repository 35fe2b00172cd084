import { parseHttpDate } from "./http-date.ts";

/**
 * Parses a `Retry-After` header, which contains digits (seconds) or an HTTP date, into milliseconds. Returns undefined
 * for anything else, so that the retry policy applies.
 */
export function parseRetryAfterMs(text: string, now: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const at = parseHttpDate(text, now);
  return at === undefined ? undefined : Math.max(at - now, 0);
}
