import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { RunHeader } from "../ports/run-index.ts";
import type { QuarantineReason } from "../shard/kind.ts";

/**
 * Observes what becomes durable in runs, for metrics, the log, fan-out, and followers. Must be quick and never throw.
 */
export interface RunObserver {
  /** `records` became durable, starting at `firstSequence`. The state of `run` may be ahead of them. */
  committed(run: Run, records: readonly JournalRecord[], firstSequence: number): void;
  /** This instance owns these shards since now, and has recovered their runs. */
  takenOver?(shards: readonly number[]): void;
  /** A run was erased at `at`; `header` is its last one. */
  deleted?(header: RunHeader, at: number): void;
  /** The owner quarantined a run without reading it. */
  quarantined?(runId: string, reason: QuarantineReason): void;
}
