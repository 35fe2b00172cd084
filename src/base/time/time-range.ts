/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: the range of a `google.protobuf.Timestamp`. */
const FIRST_MS = -62_135_596_800_000;
const LAST_MS = 253_402_300_799_999;

/** The time, or the nearest one that the contract can represent: PostgreSQL has `infinity`, and years after 9999. */
export function toValidTime(ms: number): number {
  // NaN: what was computed from two times that are infinite.
  return Number.isNaN(ms) ? LAST_MS : Math.min(Math.max(ms, FIRST_MS), LAST_MS);
}

/** Returns true for a time in milliseconds since the epoch that the contract can represent. */
export function isValidTime(value: unknown): value is number {
  return typeof value === "number" && value >= FIRST_MS && value <= LAST_MS;
}
