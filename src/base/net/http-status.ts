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

/** Returns the HTTP status of an error type that {@link statusType} has made; 0 for all other types. */
export function statusOfType(type: string): number {
  if (/^HTTP_\d{3}$/.test(type)) return Number(type.slice(5));
  return STATUS_OF_TYPE.get(type) ?? 0;
}

const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map(
  Object.keys(STATUS_CODES).map((status) => [statusType(Number(status)), Number(status)]),
);
