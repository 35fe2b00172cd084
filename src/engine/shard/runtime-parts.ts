import type { Log } from "../../base/log.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { Journal } from "../ports/journal.ts";
import type { Leases } from "../ports/leases.ts";
import type { RowsOf } from "../ports/projections.ts";
import type { ToolCaller } from "../ports/tools.ts";
import { checkReads } from "./checked-journal.ts";
import type { DatabaseClock } from "./db-clock.ts";

/**
 * Why a run is put into quarantine unread: it cannot be read, its owners died while it was in hand, or the event loop of its owner stood still in it. No
 * record says so of the first until somebody can read it.
 */
export type AsideReason = "UNREADABLE" | "KILLED" | "BLOCKED";

/** Hears of everything that became durable, for metrics, the log, fan-out and lists that follow along. Must be quick and never throw. */
export interface RuntimeObserver {
  /** `records` became durable, the first of them as `firstSequence`; the state of `run` may be ahead of them. */
  committed(run: Run, records: readonly JournalRecord[], firstSequence: number): void;
  fenced(shard: number): void;
  /** A run was put into quarantine by its owner without being read, see {@link AsideReason}. */
  setAside?(runId: string, reason: AsideReason): void;
}

/** Parts that the runtime stands on. */
export interface RuntimeParts {
  readonly journal: Journal;
  /** Makes the rows of the projections of runs. */
  readonly rowsOf: RowsOf<Run, JournalRecord>;
  readonly leases: Leases;
  readonly flows: FlowRegistry;
  /** Names of the graphs that are loaded: flows that name another one are not started. Absent: every start is taken. */
  readonly graphs?: ReadonlySet<string>;
  readonly tools: ToolCaller;
  readonly clock: DatabaseClock;
  readonly log: Log;
  readonly shards: number;
  readonly lanes: number;
  /** Start-to-close of attempts whose flow and type give none, milliseconds; null: none. */
  readonly defaultTaskTimeoutMs?: number | null;
  /** A suspect with a death is tried after a pause of up to this long, milliseconds; 5,000 when absent. */
  readonly suspectPauseMs?: number;
  readonly observers: readonly RuntimeObserver[];
}

/** The parts with a journal whose reads are checked: nothing that the engine reads of a run goes past {@link checkReads}. */
export function withCheckedReads(parts: RuntimeParts): RuntimeParts {
  return { ...parts, journal: checkReads(parts.journal) };
}
