import type { IncomingHttpHeaders } from "node:http";

/** Headers of an answer, names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Headers as text. Header fields are bytes, and servers send UTF-8 (in `Location`, for instance) although the standard knows only Latin-1: read what it is. */
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
    return latin; // not UTF-8, so it is the Latin-1 that the standard says
  }
}
