/** The records that end a run. */
import type { JournalRecord, RecordType } from "../records.ts";

/** Returns true for the record that ends a run. */
export function isEndRecord({ type }: JournalRecord): boolean {
  return ENDS.has(type);
}

const ENDS: ReadonlySet<RecordType> = new Set<RecordType>([
  "run.completed",
  "run.failed",
  "run.canceled",
  "run.timed_out",
  "run.terminated",
]);
