/**
 * Versions of the journal format. A kind of record is written only when every live instance can read it, so that
 * entities can move between two releases during a rolling upgrade. Each instance registers the version that it reads.
 */
import type { EntityRecord } from "../kind.ts";

/** Version that this build reads and writes. Each release that adds types of records raises it by one. */
export const JOURNAL_VERSION = 2;

/**
 * The format of this build: its version, and the version that introduced each type of record. Other types belong to the
 * first version.
 */
export const FORMAT: { version: number; since: Partial<Record<string, number>> } = {
  version: JOURNAL_VERSION,
  // Tasks that workers do.
  since: {
    "task.scheduled": 2,
    "task.started": 2,
    "task.returned": 2,
    "task.checkpointed": 2,
    "task.detached": 2,
  },
};

/** What can be written now. */
export class WritableFormat {
  /** The lowest version that a live instance reads; nothing newer is written. */
  version = JOURNAL_VERSION;

  /** Throws if another instance does not know the type of one of `records`. The caller abandons the transition. */
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
