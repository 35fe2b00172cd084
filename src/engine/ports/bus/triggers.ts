/** The port of triggers: what events from outside start and signal. */
import type { CompiledTrigger, TriggerEvent } from "../../../flows/triggers/compile-trigger.ts";
import type { TriggerDocument } from "../../../flows/triggers/trigger-document.ts";
import type { Caller } from "../caller.ts";

/** What becomes of events. */
export const TRIGGER_OUTCOMES = [
  "accepted",
  "duplicate",
  "filtered",
  "unmatched",
  "key_open",
  "paused",
  "unsigned",
  "failed",
] as const;

/** What became of one. */
export type TriggerOutcome = (typeof TRIGGER_OUTCOMES)[number];

/** Who paused a trigger, why, and since when, milliseconds since the epoch. */
export interface TriggerPause {
  readonly by: string;
  readonly why: string;
  readonly since: number;
}

/** A trigger without its definition. */
export interface TriggerHead {
  readonly tenantId: string;
  readonly triggerId: string;
  readonly flowId: string;
  /** Changes with the definition, and is never the same twice. */
  readonly revision: number;
  readonly pause: TriggerPause | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A trigger with its definition. */
export interface StoredTrigger extends TriggerHead {
  /** The text as it was put. */
  readonly definition: string;
}

/** How many events had an outcome, and the last one. */
export interface TriggerCount {
  readonly outcome: TriggerOutcome;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastAt: number;
  readonly lastEventId: string;
  readonly lastRunId: string;
  readonly lastProblem: string;
}

/** A count with its trigger. */
export interface TriggerCounts extends TriggerCount {
  readonly tenantId: string;
  readonly triggerId: string;
}

/** An event that came, with what it did or why it did nothing. */
export interface SeenEvent {
  /** When it came, milliseconds since the epoch. */
  readonly at: number;
  /** Empty: it has none. */
  readonly eventId: string;
  /** Empty: there is none. */
  readonly runId: string;
  /** Empty: nothing was wrong. */
  readonly problem: string;
}

/** Events of a trigger that had one outcome. */
export interface CountedEvents {
  readonly tenantId: string;
  readonly triggerId: string;
  readonly outcome: TriggerOutcome;
  readonly count: number;
  /** The last of them, one at least, oldest first. */
  readonly last: readonly SeenEvent[];
}

/** An event in a list; later ones have a higher id. */
export interface ListedEvent extends SeenEvent {
  readonly id: string;
  readonly outcome: TriggerOutcome;
}

/** What became of events. */
export interface TriggerEventStore {
  counts(tenantId: string, triggerIds: readonly string[]): Promise<readonly TriggerCounts[]>;
  /** Adds to the counts of triggers that are there, and keeps the last events of each outcome. */
  addEvents(events: readonly CountedEvents[]): Promise<void>;
  /** The last events of a trigger, the newest first: with one outcome or all (null), before one of them or null. */
  listEvents(
    tenantId: string,
    triggerId: string,
    outcome: TriggerOutcome | null,
    beforeId: string | null,
    limit: number,
  ): Promise<readonly ListedEvent[]>;
}

/** Stored triggers. */
export interface TriggerStore extends TriggerEventStore {
  listHeads(): Promise<readonly TriggerHead[]>;
  find(tenantId: string, triggerIds: readonly string[]): Promise<readonly StoredTrigger[]>;
  /** In the order of ids, after one; of one flow, or of all (empty). */
  list(tenantId: string, flowId: string, afterId: string, limit: number): Promise<readonly StoredTrigger[]>;
  /**
   * Stores a definition unless it is the stored one. `revision`: null: whatever there is; 0: there must be none.
   * Errors: TRIGGER_CHANGED, TOO_MANY_TRIGGERS.
   */
  put(
    trigger: Pick<StoredTrigger, "tenantId" | "triggerId" | "flowId" | "definition">,
    revision: number | null,
  ): Promise<{ readonly trigger: StoredTrigger; readonly created: boolean }>;
  /** Returns the time of the deletion; null: there is none. Error: TRIGGER_CHANGED. */
  delete(tenantId: string, triggerId: string, revision: number | null): Promise<number | null>;
  /** Pauses or, without `pause`, resumes. The first one to pause is the one who did. Null: there is none. */
  pause(
    tenantId: string,
    triggerId: string,
    pause: { readonly by: string; readonly why: string } | null,
  ): Promise<StoredTrigger | null>;
  /** Calls `listener` when triggers may have changed, until the returned function is called. */
  listen(listener: () => void): () => Promise<void>;
}

/** A trigger as callers see it. */
export interface TriggerView extends StoredTrigger {
  /** Null: this release cannot use the definition. */
  readonly document: TriggerDocument | null;
  readonly problem: string;
  readonly counts: readonly TriggerCount[];
}

/** Triggers, for their owners. */
export interface Triggers {
  /**
   * Creates a trigger, or replaces its definition. Errors: TRIGGER_INVALID, FLOW_NOT_FOUND, TRIGGER_CHANGED,
   * TOO_MANY_TRIGGERS, PAYLOAD_TOO_LARGE.
   */
  putTrigger(
    caller: Caller,
    definition: string,
    etag: string,
  ): Promise<{ readonly trigger: TriggerView; readonly created: boolean }>;
  /** Error: TRIGGER_NOT_FOUND, as in all that follow. */
  getTrigger(caller: Caller, triggerId: string): Promise<TriggerView>;
  listTriggers(caller: Caller, flowId: string, afterId: string, limit: number): Promise<readonly TriggerView[]>;
  /** The last events of a trigger, as {@link TriggerEventStore.listEvents}. */
  listEvents(
    caller: Caller,
    triggerId: string,
    outcome: TriggerOutcome | null,
    beforeId: string | null,
    limit: number,
  ): Promise<readonly ListedEvent[]>;
  /** Resolves with the time of the deletion. Error: TRIGGER_CHANGED. */
  deleteTrigger(caller: Caller, triggerId: string, etag: string): Promise<number>;
  pauseTrigger(caller: Caller, triggerId: string, reason: string): Promise<TriggerView>;
  resumeTrigger(caller: Caller, triggerId: string, reason: string): Promise<TriggerView>;
}

/** What an event did. */
export interface AppliedEvent {
  readonly outcome: TriggerOutcome;
  /** Empty: there is none. */
  readonly runId: string;
  /** Why it failed; empty: it did not. */
  readonly problem: string;
}

/** A trigger as this instance knows it: as it was a moment ago. */
export interface KnownTrigger extends TriggerHead {
  /** Null: this release cannot use the definition. */
  readonly compiled: CompiledTrigger | null;
}

/** Events that have come. */
export interface TriggerEvents {
  /** Undefined: this instance knows of none. */
  find(tenantId: string, triggerId: string): KnownTrigger | undefined;
  /** All that are known. */
  list(): readonly KnownTrigger[];
  /** Calls `listener` after each change of what is known. */
  onChange(listener: () => void): void;
  /**
   * Applies an event and counts it. Resolves when its effect is durable, or when it is clear that it will never have
   * one. Errors are those that pass: the same event may be applied again. `ownerDied` is
   * as in `BusCommands.start`.
   */
  apply(trigger: KnownTrigger, event: TriggerEvent, ownerDied?: () => void): Promise<AppliedEvent>;
  /** Counts an event that was not applied. */
  count(trigger: KnownTrigger, outcome: TriggerOutcome, eventId: string, problem: string): void;
}
