/** Times and durations: milliseconds in the service, well-known messages on the wire. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A duration of `ms` milliseconds. */
export function toDuration(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(seconds),
    nanos: Math.round((ms - seconds * 1_000) * 1_000_000),
  };
}

/** Milliseconds of a duration, whole ones, rounded up so that a positive wait stays positive. */
export function fromDuration(duration: Duration): number {
  return Number(duration.seconds) * 1_000 + Math.ceil(duration.nanos / 1_000_000);
}

/** The point in time `ms` milliseconds after the epoch. */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: BigInt(seconds),
    nanos: Math.round((ms - seconds * 1_000) * 1_000_000),
  };
}

/** Milliseconds since the epoch, fractions cut off. */
export function fromTimestamp(timestamp: Timestamp): number {
  return Number(timestamp.seconds) * 1_000 + Math.floor(timestamp.nanos / 1_000_000);
}
