import { STATUS_CODES } from "node:http";

/**
 * Returns the error type of an HTTP status: its standard phrase (`NOT_FOUND`, `SERVICE_UNAVAILABLE`), or
 * `HTTP_<status>` when it has none.
 */
export function statusType(status: number): string {
  const phrase = STATUS_CODES[status];
  return phrase === undefined
    ? `HTTP_${status}`
    : phrase
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]+/g, "_")
        .replaceAll(/^_|_$/g, "");
}
