/** Converts between milliseconds and the well-known time messages. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

export function toDuration(ms: number): Duration {
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

export function toTimestamp(ms: number): Timestamp {
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
