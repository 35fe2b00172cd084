/** Seconds since a monotonic time in milliseconds, that of `performance.now()`. */
export function secondsSince(from: number): number {
  return (performance.now() - from) / 1_000;
}
