/**
 * Versions of the journal's format. A kind of record is written only when every living instance reads it, so that runs can go back and forth between two
 * releases while they change places. Each instance says at its registration what it reads.
 */
import type { JournalRecord, RecordType } from "../machine/records.ts";

/** Version that this build reads and writes: one more with every release that adds kinds. */
export const JOURNAL_VERSION = 1;

/** The format of this build: its version, and since which version a kind exists. Kinds that are not named are of the first. */
export const FORMAT: { version: number; since: Partial<Record<RecordType, number>> } = {
  version: JOURNAL_VERSION,
  since: {},
};

/** Throws when one of `records` is of a kind that instances which read up to `version` do not know. The caller has to give up the move. */
export function checkKinds(records: readonly JournalRecord[], version: number): void {
  for (const { type } of records) {
    const since = FORMAT.since[type] ?? 1;
    if (since > version)
      throw new Error(
        `${type} is written when every instance reads version ${since} of the journal; one reads ${version}`,
      );
  }
}
