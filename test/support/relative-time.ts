/** CPU time of one piece of work as a multiple of another's, for tests that bound how time grows. */

/** Shortest measurement, microseconds of CPU time: the clock of a thread ticks every one or two milliseconds. */
const LEAST_TIME = 20_000;

/**
 * CPU time of `subject` on this thread as a multiple of that of `reference`.
 *
 * CPU time, not wall-clock time: a thread that waits for other programs uses none. Both are measured `rounds` times in
 * turn, and the smallest value of each counts, because a busy machine still costs cache misses. The ratio does not
 * depend on the speed of the machine.
 */
export function relativeTime(subject: () => void, reference: () => void, rounds = 5): number {
  let subjectTime = Number.POSITIVE_INFINITY;
  let referenceTime = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    referenceTime = Math.min(referenceTime, timeOf(reference));
    subjectTime = Math.min(subjectTime, timeOf(subject));
  }
  return subjectTime / referenceTime;
}

/** CPU time of one call, microseconds: the mean over enough calls to measure it. */
function timeOf(body: () => void): number {
  const start = process.threadCpuUsage();
  for (let calls = 1; ; calls += 1) {
    body();
    const { user, system } = process.threadCpuUsage(start);
    if (user + system >= LEAST_TIME) return (user + system) / calls;
  }
}
