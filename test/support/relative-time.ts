/** Time of one piece of work as a multiple of another's, for tests that bound how time grows. */

/**
 * How many times as long as `reference` the `subject` takes.
 *
 * Both are run `rounds` times in turn and the fastest of each counts: what else the machine does makes runs slower and
 * never faster, and taking turns lets both meet the same quiet moments. Stays a ratio, so that the speed of the machine
 * does not matter.
 */
export function relativeTime(subject: () => void, reference: () => void, rounds = 5): number {
  let subjectMs = Number.POSITIVE_INFINITY;
  let referenceMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    referenceMs = Math.min(referenceMs, timeOf(reference));
    subjectMs = Math.min(subjectMs, timeOf(subject));
  }
  return subjectMs / referenceMs;
}

function timeOf(body: () => void): number {
  const start = performance.now();
  body();
  return performance.now() - start;
}
