/** CPU time of one piece of work as a multiple of another's, for tests that bound how time grows. */

/** Least CPU time of a measurement, microseconds: the clock of a thread ticks every one or two milliseconds. */
const LEAST_TIME = 20_000;

/**
 * How many times as much CPU time of this thread the `subject` takes as the `reference`.
 *
 * CPU time and not time on the wall: a thread that has to wait for other programs takes none. Both are measured `rounds`
 * times in turn and the least of each counts, since a busy machine still costs caches, and taking turns lets both meet
 * the same quiet moments. A ratio, so that the speed of the machine does not matter.
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

/** CPU time of one call, microseconds: the mean of as many as it takes to measure it. */
function timeOf(body: () => void): number {
  const start = process.threadCpuUsage();
  for (let calls = 1; ; calls += 1) {
    body();
    const { user, system } = process.threadCpuUsage(start);
    if (user + system >= LEAST_TIME) return (user + system) / calls;
  }
}
