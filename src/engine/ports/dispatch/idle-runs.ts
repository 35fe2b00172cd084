/** Runs that nothing was written of for a while. */

/** Such a run. */
export interface IdleRun {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  readonly flowHash: string;
  /** When its header was last written, milliseconds. Its journal may be younger. */
  readonly updatedAt: number;
}

/** Finds them, by an index. */
export interface IdleRuns {
  /**
   * Open runs on these shards whose flow says how it recovers, and whose header was written before `before`
   * (milliseconds by the clock of the database), oldest first, after `after`.
   */
  listIdle(
    shards: readonly number[],
    before: number,
    after: Pick<IdleRun, "updatedAt" | "runId"> | null,
    limit: number,
  ): Promise<readonly IdleRun[]>;
}
