/**
 * Records: the facts of a run, in the order in which they happened. The journal of a run is the gapless list of its
 * records; folding them with `applyRecord` yields the state.
 *
 * A record carries every value that the state needs (evaluated parameters, results, due times): replay evaluates
 * nothing. A kind is never removed or changed; new ones are added. Times are milliseconds since the epoch by the
 * database's clock.
 */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TraceFacts } from "../../base/traces/run-trace.ts";
import type { BudgetSpec, RunBudget, RunLimit, TaskLimits } from "../../flows/plan.ts";

/** Why an attempt or a run failed. */
export interface TaskError {
  /** Stable name: upper case with underscores for our own, any text for those of tools. */
  readonly type: string;
  readonly message: string;
  readonly retryable: boolean;
  /** How long the tool wants the caller to wait before the next attempt, milliseconds; overrides the retry policy. */
  readonly nextRetryDelayMs?: number;
  /** True when the attempt provably had no effect (it never reached the tool). */
  readonly noEffect?: boolean;
  /** What else the tool said, for flows and programs; bounded by `limitOutcome`. */
  readonly details?: Json;
}

/** What a waiting task waits for. */
export type Wait =
  | { readonly kind: "timer" }
  | { readonly kind: "signal"; readonly name: string }
  | { readonly kind: "approval" }
  | { readonly kind: "run"; readonly runId: string };

/** Answer to an interrupt of a graph. */
export interface Answer {
  readonly key: string;
  readonly value: Json;
}

/**
 * Kinds of holds: reasons why a run may not go on. `parent`: the run that started this one is paused. That hold ends
 * only with the pause.
 */
export type HoldKind = "operator" | "budget" | "limit" | "quarantine" | "parent";

/** How a run ends once nothing is open. */
export type EndKind = "completed" | "failed" | "canceled" | "timed_out" | "terminated";

/** Why a run is about to end. */
export interface Cause {
  readonly end: "failed" | "canceled" | "timed_out" | "terminated";
  /** Whether tasks with `compensate_with` are compensated before the end. */
  readonly compensate: boolean;
  readonly reason: string;
  readonly by: string;
  readonly error: RunError | null;
}

/** Error of a run: the error of the task that decided its end, if there is one. */
export interface RunError {
  readonly type: string;
  readonly message: string;
  readonly task: string | null;
}

/** What a run was started with, besides its flow and variables. Absent fields are null or empty. */
export interface StartFacts {
  readonly userId: string;
  readonly correlationId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly runKey: string;
  readonly requestId: string;
  /** `execution_context` of the caller, an object. */
  readonly context: JsonObject | null;
  /** What the run and its child runs may spend besides what its flow says; absent: nothing more is said. */
  readonly budget?: BudgetSpec;
  /** Requests of runs that led to the start of this one, or of the run above it; absent: none. */
  readonly hops?: number;
  /** Of its trace; absent: neither its start nor its caller was traced. */
  readonly trace?: TraceFacts;
  /** The task that started this run, when it is a child. */
  readonly parent: {
    readonly runId: string;
    readonly task: string;
    readonly closePolicy: "cancel" | "terminate" | "abandon";
    /** How many runs are above this one; absent: one. */
    readonly depth?: number;
    /** The budgets of the runs above this one, nearest first; absent: they have none. */
    readonly budgets?: readonly RunBudget[];
  } | null;
}

/**
 * Why a task is a dead letter, that is, why it is not tried again: its error is retryable but its attempts are used up;
 * its error is not retryable; its call was deferred until its time ran out; or its time ran out in another way.
 */
export type DeadLetterReason = "ATTEMPTS_EXHAUSTED" | "NOT_RETRYABLE" | "DEFERRED_TOO_LONG" | "OUT_OF_TIME";

/**
 * Why a task that was handed out is back in its queue: nobody acknowledged it; its worker is gone; the worker returned
 * it; or the run was held before anybody acknowledged it.
 */
export type ReturnReason = "UNACKNOWLEDGED" | "WORKER_LOST" | "HANDED_BACK" | "WITHDRAWN";

/** Why a guard could not be evaluated. */
export interface GuardError {
  readonly type: string;
  /** Begins with the place of the guard, such as `on[0].when`. */
  readonly message: string;
}

/** How a state of an FSM flow was entered. */
export type EnteredBy =
  | { readonly kind: "initial" }
  | { readonly kind: "transition"; readonly index: number }
  | { readonly kind: "signal"; readonly signal: number; readonly index: number }
  | { readonly kind: "after"; readonly index: number }
  | { readonly kind: "error"; readonly index: number };

/**
 * How a person or the clock ended an approval. An approval that is still open when its task ends is canceled; there is
 * no record for that.
 */
export type ApprovalEnd = "APPROVED" | "REJECTED" | "EXPIRED";

/** Who ended an attempt in the place of the one that made it, and why. */
export interface Told {
  readonly by: string;
  readonly why: string;
}

/** Where the answer that ended an attempt was read. Places of a log rise, first by epoch, then by offset. */
export interface Place {
  /** Names a partition of a topic; another one when the topic was deleted and created anew. */
  readonly log: string;
  /** Epoch of the leader: it rises when the log may have lost its end. */
  readonly epoch: number;
  readonly offset: number;
}

/** An attempt that ended without an answer of the one that has it, at a place from which nobody speaks meanwhile. */
export interface Recalled {
  /** Its address. */
  readonly from: string;
  /** Fencing token of the attempt. */
  readonly token: number;
}

/**
 * The place of a task at its limit. `none`: it needs no slot now; `waiting`: it is in line; `withdrawn`: it left the
 * line because its run is held; `taken`: its attempt has a slot. Replaced, never mutated.
 */
export interface LimitSlot {
  readonly name: string;
  readonly key: string;
  readonly state: "none" | "waiting" | "withdrawn" | "taken";
  /** Sequence of the record by which the task asked for a slot. */
  readonly asked: number;
}

/** Why a task was skipped. */
export type SkipReason = "NOT_TAKEN" | "UPSTREAM_FAILED";

interface At {
  /** When it happened, milliseconds since the epoch. */
  readonly at: number;
}

interface OfTask extends At {
  /** Path of the task. */
  readonly task: string;
}

interface OfAttempt extends OfTask {
  /** Attempt that it concerns, if {@link attemptOf} would return something else without it. */
  readonly attempt?: number;
}

interface OfStop extends OfAttempt {
  /** Who has the attempt is to be told; absent: he said it himself, shows that he is there, or nobody has it. */
  readonly recalled?: Recalled;
}

interface OfEnd extends OfStop {
  /** How long the work took, as the one that did it says, whole milliseconds; absent: nobody said. */
  readonly tookMs?: number;
}

/** A fact of a run. */
export type JournalRecord =
  | (At & {
      readonly type: "run.started";
      readonly flowId: string;
      readonly version: string;
      readonly hash: string;
      readonly tenantId: string;
      readonly vars: JsonObject;
      readonly deadlineAt?: number;
      /** When the first task may start; absent: immediately. */
      readonly startAt?: number;
      /** The run waits for a slot of this limit before its first task; absent: it has none. */
      readonly limit?: RunLimit;
      /** Sequence of this record; absent: 1. It is higher in a database that was restored from a backup. */
      readonly sequence?: number;
      /** Facts that are not empty. */
      readonly facts: Partial<StartFacts>;
    })
  /** The run is ready and waits for a slot of its limit. */
  | (At & { readonly type: "run.limited" })
  | (At & { readonly type: "run.opened" })
  | (At & { readonly type: "run.completed"; readonly output: Json })
  | (At & { readonly type: "run.failed"; readonly error: RunError })
  /** Reason and name of the caller are set when no `run.ending` came before: the run had not begun. */
  | (At & { readonly type: "run.canceled"; readonly reason?: string; readonly by?: string })
  | (At & { readonly type: "run.timed_out" })
  | (At & { readonly type: "run.terminated"; readonly reason: string; readonly by: string })
  | (At & { readonly type: "run.ending"; readonly cause: Cause; readonly boundAt: number })
  | (At & { readonly type: "run.compensating"; readonly cause: Cause; readonly order: readonly string[] })
  | (At & { readonly type: "run.held"; readonly hold: HoldKind; readonly by: string; readonly why: string })
  | (At & { readonly type: "run.released"; readonly hold: HoldKind; readonly by: string; readonly why: string })
  | (At & { readonly type: "run.recovered" })
  /**
   * The database was restored from a backup while the run was open. What the run did after the backup is forgotten, so
   * this record takes a sequence beyond all that were in use then: fencing tokens and messages go on rising.
   */
  | (At & { readonly type: "run.restored"; readonly sequence: number; readonly by: string })
  /** A budget that the run spends is nearly used up; `why` says how much of it. */
  | (At & { readonly type: "run.budget_warned"; readonly budget: string; readonly why: string })
  | (OfTask & {
      readonly type: "task.dispatched";
      readonly attempt: number;
      readonly input?: Json;
      readonly first?: string;
      readonly answer?: Answer;
      readonly limits?: TaskLimits;
      /** Session of the worker, or topic, that gets the task; absent: the attempt is made by the owner of the run. */
      readonly to?: string;
      /** The task had a row in its queue; absent: it was handed out as soon as it was ready. */
      readonly queued?: boolean;
      /** On a topic: when the answer must be there. */
      readonly dueAt?: number;
      /** The instance that made the attempt before is gone: what came of its call is unknown. */
      readonly again?: boolean;
    })
  /** A task whose work is done elsewhere is ready and waits for a hand-over. */
  | (OfTask & {
      readonly type: "task.scheduled";
      readonly attempt: number;
      readonly input?: Json;
      /** When it must have been acknowledged. */
      readonly dueAt?: number;
      readonly first?: string;
      readonly limits?: TaskLimits;
    })
  /** An attempt is ready and waits for a slot of its limit. */
  | (OfTask & {
      readonly type: "task.limited";
      readonly attempt: number;
      readonly name: string;
      readonly key: string;
      readonly input?: Json;
      /** When it must have a slot. */
      readonly dueAt?: number;
      readonly first?: string;
      readonly limits?: TaskLimits;
    })
  /** The other side acknowledged the task: it works on it. */
  | (OfAttempt & {
      readonly type: "task.started";
      /** Who has it from now on; absent: the one that it was handed out to. */
      readonly to?: string;
      /** When the attempt must have ended. */
      readonly dueAt?: number;
    })
  /** A task that was handed out waits for its next hand-over, with the same attempt. */
  | (OfAttempt & { readonly type: "task.returned"; readonly reason: ReturnReason; readonly dueAt?: number })
  /** The holder of a task saved what the next attempt needs. */
  | (OfAttempt & {
      readonly type: "task.checkpointed";
      /** JSON text, as its holder wrote it. */
      readonly checkpoint: string;
    })
  /** The work of a task goes on without its holder: nobody need be alive. */
  | (OfAttempt & { readonly type: "task.detached" })
  | (OfAttempt & {
      readonly type: "task.waiting";
      readonly wait: Wait;
      readonly input: Json;
      readonly dueAt: number | null;
      readonly first?: string;
      readonly limits?: TaskLimits;
    })
  | (OfTask & {
      readonly type: "task.expanded";
      readonly count: number;
      readonly items?: readonly Json[];
      readonly first?: string;
      /** When the children must have ended. */
      readonly dueAt?: number;
      readonly limits?: TaskLimits;
    })
  | (OfEnd & {
      readonly type: "task.completed";
      readonly output: Json;
      readonly input?: Json;
      readonly first?: string;
      /** Somebody completed it in the place of its holder. */
      readonly told?: Told;
    })
  | (OfEnd & {
      readonly type: "task.retrying";
      readonly error: TaskError;
      readonly dueAt: number;
      /** The call never took place: it uses up no attempt. */
      readonly deferred?: boolean;
      readonly answer?: Answer;
      readonly told?: Told;
      /** Of the answer that failed the attempt; absent: no answer from a log did. */
      readonly place?: Place;
    })
  /** A graph was interrupted and waits for an answer, or the gate asks before a call. */
  | (OfAttempt & {
      readonly type: "task.suspended";
      readonly key: string;
      /** The gate asks: nothing was called. `key` names what is asked, and an approval holds for that alone. */
      readonly gate?: true;
      readonly wait: Wait;
      readonly value: JsonObject;
      readonly dueAt: number | null;
    })
  | (OfEnd & {
      readonly type: "task.failed";
      readonly error: TaskError;
      readonly timedOut?: boolean;
      readonly handled?: boolean;
      /** Why the task is a dead letter; absent: it is not one. */
      readonly deadLetter?: DeadLetterReason;
      readonly first?: string;
      readonly told?: Told;
      /** As in `task.retrying`. */
      readonly place?: Place;
    })
  | (OfTask & { readonly type: "task.skipped"; readonly reason: SkipReason })
  | (OfStop & {
      readonly type: "task.canceled";
      /** The current attempt provably had no effect. */
      readonly noEffect?: boolean;
    })
  | (OfTask & { readonly type: "task.compensated" })
  /** An approval has ended. The record with the transition of its task follows. */
  | (OfTask & {
      readonly type: "approval.ended";
      /** Sequence of the record that asked the question: the id of the approval. */
      readonly approval: number;
      readonly state: ApprovalEnd;
      readonly by: string;
      readonly comment: string;
      readonly data: Json;
    })
  | (At & {
      readonly type: "signal.received";
      readonly id: number;
      readonly name: string;
      readonly payload: Json;
      /** Who sent it; absent when unknown. */
      readonly by?: string;
      readonly request?: string;
      readonly requestHash?: string;
    })
  /** A call with a request id was applied. The same id again changes nothing; with another hash it is refused. */
  | (At & { readonly type: "request.applied"; readonly request: string; readonly requestHash: string })
  | (At & {
      readonly type: "signal.consumed";
      readonly id: number;
      readonly name?: string;
      readonly task: string;
    })
  /**
   * A guard of the active state could not judge a queued signal, and no other entry admitted it: the signal stays
   * queued. At most one per signal and state.
   */
  | (At & {
      readonly type: "signal.guard_failed";
      readonly id: number;
      readonly name: string;
      readonly state: string;
      readonly error: GuardError;
    })
  | (At & { readonly type: "state.entered"; readonly state: string; readonly visit: number; readonly by: EnteredBy })
  | (At & {
      readonly type: "state.armed";
      readonly after: readonly { readonly index: number; readonly dueAt: number }[];
    })
  | (At & { readonly type: "state.settled" });

/** Name of a record kind, as the journal and the API show it. */
export type RecordType = JournalRecord["type"];

/**
 * Returns the attempt that a record concerns, from 1, or 0 when it concerns none: the run, a task without attempts, or
 * the task as a whole.
 */
export function attemptOf(record: JournalRecord): number {
  switch (record.type) {
    case "task.dispatched":
    case "task.scheduled":
    case "task.limited":
      return record.attempt;
    case "task.completed":
      // Work that is done without an attempt has its input in this record.
      return record.attempt ?? (record.input === undefined ? 1 : 0);
    case "task.started":
    case "task.returned":
    case "task.checkpointed":
    case "task.detached":
    case "task.waiting":
    case "task.retrying":
    case "task.suspended":
    case "task.failed":
    case "task.canceled":
      return record.attempt ?? 1;
    default:
      return 0;
  }
}
