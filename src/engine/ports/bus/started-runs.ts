/** The port of runs that messages without a place in a log have started. */

/** Ids of runs from `from` to before `to`, in the order of text. */
export interface IdRange {
  readonly from: string;
  readonly to: string;
}

/** Runs by ranges of ids. */
export interface StartedRuns {
  /** The ids in each range that runs have or had, in their order. Errors: those of the store. */
  find(tenantId: string, ranges: readonly IdRange[]): Promise<readonly (readonly string[])[]>;
}
