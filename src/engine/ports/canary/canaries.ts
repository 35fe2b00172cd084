/** What the store knows of canaries. Errors: those of the store. */

/** What a look finds. */
export interface CanaryLook {
  /** The newest canary of the last hour; null: there is none. */
  readonly newest: string | null;
  /** Acknowledged canaries that have no row: those asked for, and those that a canary of the last hour names. */
  readonly lost: readonly string[];
}

/** Canaries as the store has them. */
export interface CanaryStore {
  /** Looks for canaries that this instance has seen acknowledged. */
  look(acknowledged: readonly string[]): Promise<CanaryLook>;
  /** Deletes those that nobody asks for any more; no tombstone stays. Returns how many there were. */
  removeOld(): Promise<number>;
}
