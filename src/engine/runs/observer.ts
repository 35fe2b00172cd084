import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { QuarantineReason } from "../shard/kind.ts";

/**
 * Notified of what becomes durable in runs, for metrics, the log, fan-out, and lists that follow along. Must be quick
 * and never throw.
 */
export interface RunObserver {
  /** `records` became durable, the first of them as `firstSequence`. The state of `run` may be ahead of them. */
  committed(run: Run, records: readonly JournalRecord[], firstSequence: number): void;
  /** Something was written of a shard that another instance owns. */
  fenced(shard: number): void;
  /** A run was put into quarantine by its owner without being read. */
  quarantined?(runId: string, reason: QuarantineReason): void;
}
