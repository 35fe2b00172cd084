import type { CommitFailure } from "../ports/journal.ts";

/** What became of a batch of the commit pipeline. */
export type BatchOutcome = "written" | CommitFailure;

/** Observes the shard runtime, for metrics. Must be quick and never throw. */
export interface RuntimeObserver {
  /** A batch is sent to the store; its first transition has waited `waitedMs` for it. */
  sent(waitedMs: number): void;
  /** The store answered a statement with `transitions` after `tookMs`. */
  answered(outcome: BatchOutcome, transitions: number, tookMs: number): void;
  /** A timer fired `lateMs` after it was due, by the clock of the database. */
  fired(lateMs: number): void;
  /** The life of this instance was extended. False: it had expired, and its shards may be lost. */
  renewed(inTime: boolean): void;
  /**
   * A shard was taken that its owner released (`clean`), or whose owner died, which an earlier process of this instance
   * may have been; `ownerlessMs` after the life of that one ended, as far as that is known.
   */
  taken(clean: boolean, ownerlessMs: number | null): void;
  /** The entities of shards that were taken together are recovered: `moving` of them were under way. */
  adopted(moving: number, tookMs: number): void;
  /** A write to a shard failed because another instance owns it. */
  fenced(shard: number): void;
}

/** Observes nothing. */
export const NO_OBSERVER: RuntimeObserver = {
  sent() {},
  answered() {},
  fired() {},
  renewed() {},
  taken() {},
  adopted() {},
  fenced() {},
};
