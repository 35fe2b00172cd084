/** How far the stop of this instance has come. Set by the runtime, read by its parts. */
export interface Lifecycle {
  /**
   * No external call starts any more, and callers that wait for the end of an entity are answered at once: see
   * drain.ts.
   */
  draining: boolean;
  /** New entities start elsewhere: this instance gives its shards back. */
  leaving: boolean;
  /** Nothing new is accepted; what was decided is still written. */
  stopping: boolean;
}

export function createLifecycle(): Lifecycle {
  return { draining: false, leaving: false, stopping: false };
}
