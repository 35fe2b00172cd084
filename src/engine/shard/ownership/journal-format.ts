/**
 * Versions of the journal's format. A kind of record is written only when every living instance reads it, so that
 * entities can go back and forth between two releases during a rolling upgrade. Each instance says at its registration
 * what it reads.
 */
import type { EntityRecord } from "../kind.ts";

/** Version that this build reads and writes: one more with every release that adds types of records. */
export const JOURNAL_VERSION = 1;

/**
 * The format of this build: its version, and since which version a type of record exists. Types that are not named are
 * of the first.
 */
export const FORMAT: { version: number; since: Partial<Record<string, number>> } = {
  version: JOURNAL_VERSION,
  since: {},
};

/** What may be written now. */
export class WritableFormat {
  /** The lowest version that a living instance reads: nothing newer is written. */
  version = JOURNAL_VERSION;

  /**
   * Throws when one of `records` is of a type that another instance does not know yet. The caller gives up the
   * transition.
   */
  check(records: readonly EntityRecord[]): void {
    if (this.version >= FORMAT.version) return;
    for (const { type } of records) {
      const since = FORMAT.since[type] ?? 1;
      if (since > this.version)
        throw new Error(
          `${type} is written when every instance reads version ${since} of the journal; one reads ${this.version}`,
        );
    }
  }
}
