/** Converts between milliseconds and the well-known time messages. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { toValidTime } from "../../base/time/time-range.ts";

/** The longest duration that the contract can represent: 10,000 years. */
const MAX_DURATION_MS = 315_576_000_000_000;

/** Converts a length. One that the contract cannot represent, which only a damaged row has, is the longest. */
export function toDuration(length: number): Duration {
  // NaN: between two times that are infinite.
  const ms = Number.isNaN(length) ? MAX_DURATION_MS : Math.min(Math.max(length, -MAX_DURATION_MS), MAX_DURATION_MS);
  const seconds = Math.trunc(ms / 1_000);
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(seconds),
    nanos: Math.round((ms - seconds * 1_000) * 1_000_000),
  };
}

/** Whole milliseconds of a duration, rounded up so that a positive wait stays positive. */
export function fromDuration(duration: Duration): number {
  return Number(duration.seconds) * 1_000 + Math.ceil(duration.nanos / 1_000_000);
}

/** Converts a time. One that the contract cannot represent, which only a damaged row has, becomes the nearest. */
export function toTimestamp(time: number): Timestamp {
  const ms = toValidTime(time);
  const seconds = Math.floor(ms / 1_000);
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: BigInt(seconds),
    nanos: Math.round((ms - seconds * 1_000) * 1_000_000),
  };
}

/** Milliseconds since the epoch, rounded down. */
export function fromTimestamp(timestamp: Timestamp): number {
  return Number(timestamp.seconds) * 1_000 + Math.floor(timestamp.nanos / 1_000_000);
}
