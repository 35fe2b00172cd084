/**
 * The port of queues: what operators say about them, and what waits in them. A queue exists while tasks wait in it, a
 * worker serves it, or it has settings; only settings are rows.
 */
import type { Caller } from "../caller.ts";
import type { LabeledLine } from "./hand-overs.ts";

/** Who stopped a queue, why, and since when, milliseconds since the epoch. */
export interface QueueStop {
  readonly by: string;
  readonly why: string;
  readonly since: number;
}

/** What operators have said about a queue. */
export interface QueueSettings {
  readonly tenantId: string;
  readonly queue: string;
  /** Nothing is handed out. */
  readonly pause: QueueStop | null;
  /** What becomes ready after `since` is deferred. */
  readonly drain: QueueStop | null;
  /** Tasks that may wait; null: any number. */
  readonly maxLength: number | null;
  /** How long a task may wait, milliseconds; null: forever. */
  readonly ttlMs: number | null;
  /** Builds whose workers get tasks; empty: all. */
  readonly buildIds: readonly string[];
}

/** Settings as this instance knows them: those of a moment ago. */
export interface KnownSettings {
  /** No queue has any. */
  readonly isEmpty: boolean;
  of(queue: { readonly tenantId: string; readonly queue: string }): QueueSettings | undefined;
}

/** What an operator changes. */
export type QueueChange =
  | { readonly type: "pause" | "drain"; readonly why: string }
  | { readonly type: "resume" }
  | {
      readonly type: "update";
      /** Absent: as it is. */
      readonly maxLength?: number | null;
      readonly ttlMs?: number | null;
      readonly buildIds?: readonly string[];
    };

/** Tasks by what keeps them from a worker. */
export interface TaskCounts {
  /** Only a free slot is missing. */
  readonly waiting: number;
  /** The queue is full or drained. */
  readonly deferred: number;
  /** The run is held. */
  readonly held: number;
}

/** What waits in a queue. */
export interface QueueCounts extends TaskCounts {
  readonly queue: string;
  /** When the oldest of the waiting tasks became ready, milliseconds since the epoch; null: none waits. */
  readonly oldestAt: number | null;
  /** Highest priority of the waiting tasks; null: none waits. */
  readonly priority: number | null;
  /** The 50 handlers with the most waiting tasks. */
  readonly handlers: readonly (TaskCounts & { readonly handler: string })[];
}

/** What keeps the limits of queues in the store. */
export interface QueueLimitStore {
  /**
   * Defers what is too much for its queue, the youngest first, lets in what was deferred, the oldest first, and forgets
   * settings that say nothing. One instance at a time; the others do nothing. Says whether something has changed, and
   * whether there is more to do.
   */
  settle(): Promise<{ readonly hasChanged: boolean; readonly isMore: boolean }>;
  /** Tasks of these shards that have waited too long, at most `limit`. */
  listExpired(shards: readonly number[], limit: number): Promise<readonly ExpiredTask[]>;
}

/** A queue as it is shown. */
export interface QueueView extends QueueSettings, QueueCounts {}

/** Where a task waits. */
export interface WaitingPlace extends LabeledLine {
  readonly deferred: boolean;
  /** Tasks that go before it, at most 1,001. */
  readonly ahead: number;
}

/** Queues of a database, for callers at any instance. */
export interface Queues {
  /** Views of these queues, whether they exist or not. */
  viewQueues(caller: Caller, queues: readonly string[]): Promise<readonly QueueView[]>;
  /** Where a task waits for a worker; null: it does not. */
  findPlace(caller: Caller, runId: string, path: string): Promise<WaitingPlace | null>;
  /** Names of queues that have settings or tasks, in order, from the one after `after`. */
  listNames(caller: Caller, after: string, limit: number): Promise<readonly string[]>;
  /**
   * Changes a queue, durably; every instance obeys within a second. Changes that have been made already do nothing.
   * Error: TOO_MANY_QUEUES.
   */
  changeQueue(caller: Caller, queue: string, change: QueueChange): Promise<QueueView>;
}

/** A task that has waited for longer than its queue allows. */
export interface ExpiredTask {
  readonly runId: string;
  readonly path: string;
  readonly queue: string;
  readonly ttlMs: number;
}

/** A line in which tasks wait. */
export interface WaitingLine extends LabeledLine {
  readonly count: number;
  /** How long its first task has waited, milliseconds. */
  readonly ageMs: number;
}

/** What waits in a queue, of all tenants. */
export interface QueueTotals extends TaskCounts {
  readonly queue: string;
  /** How long the oldest of the waiting tasks has waited, milliseconds; 0: none waits. */
  readonly ageMs: number;
}

/** Settings and counts as stored. */
export interface QueueStore extends QueueLimitStore {
  /** Settings of all queues of all tenants. */
  listAll(): Promise<readonly QueueSettings[]>;
  /** Settings of these queues, in their order. */
  find(tenantId: string, queues: readonly string[]): Promise<readonly QueueSettings[]>;
  findPlace(tenantId: string, runId: string, path: string): Promise<WaitingPlace | null>;
  listNames(tenantId: string, after: string, limit: number): Promise<readonly string[]>;
  /** Counts of those of these queues in which tasks wait. */
  count(tenantId: string, queues: readonly string[]): Promise<readonly QueueCounts[]>;
  /** Lines with waiting tasks, of all tenants, at most 1,000. */
  listLines(): Promise<readonly WaitingLine[]>;
  /** The 200 queues with the most tasks, of all tenants. */
  listTotals(): Promise<readonly QueueTotals[]>;
  /** Changes settings and tells the instances. Error: TOO_MANY_QUEUES. */
  change(tenantId: string, queue: string, by: string, change: QueueChange): Promise<QueueSettings>;
  /**
   * Calls `listener` whenever settings may have changed, here or at another instance, within a second; until the
   * returned function is called.
   */
  listen(listener: () => void): () => Promise<void>;
}
