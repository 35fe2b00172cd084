/** How far this instance is on its way out. Set by the runtime alone, read by its parts. */
export interface Lifecycle {
  /**
   * No call to the outside begins any more, and callers who wait for the end of an entity are answered at once: see
   * drain.ts.
   */
  draining: boolean;
  /** New entities start elsewhere: this instance gives its shards back. */
  leaving: boolean;
  /** Nothing new is taken; what was decided is still written. */
  stopping: boolean;
}

/** An instance in service. */
export function createLifecycle(): Lifecycle {
  return { draining: false, leaving: false, stopping: false };
}
