/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what a `google.protobuf.Timestamp` may be. */
const FIRST_MS = -62_135_596_800_000;
const LAST_MS = 253_402_300_799_999;

/** True for a time that the contract can carry, milliseconds since the epoch. */
export function isValidTime(value: unknown): value is number {
  return typeof value === "number" && value >= FIRST_MS && value <= LAST_MS;
}
