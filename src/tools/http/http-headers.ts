import type { IncomingHttpHeaders } from "node:http";

/** Response headers, with names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/**
 * Converts headers to text. Header fields are bytes. Servers send UTF-8 (in `Location`, for instance) although the
 * standard only knows Latin-1, so both are accepted.
 */
export function readHeaders(given: IncomingHttpHeaders): AnswerHeaders {
  const headers: Record<string, string | readonly string[]> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) headers[name] = typeof value === "string" ? toText(value) : value.map(toText);
  }
  return headers;
}

function toText(latin: string): string {
  if (!/[\u0080-\u00ff]/.test(latin)) return latin;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(latin, "latin1"));
  } catch {
    return latin; // not UTF-8, so it is Latin-1, as in the standard
  }
}
