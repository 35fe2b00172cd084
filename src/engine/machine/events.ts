/**
 * Events: what can happen to a run. They come from callers, tools, clocks, and other runs; `decide` turns them into
 * records.
 */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { RunLimit, TaskLimits } from "../../flows/plan.ts";
import type { HoldKind, Place, ReturnReason, RunError, StartFacts, TaskError } from "./records.ts";

interface At {
  /**
   * Current time, milliseconds since the epoch, no earlier than the database's clock. Due times are counted from it.
   */
  readonly at: number;
}

/** Distinguishes a call from its repetition: the request id, and a hash of the request. */
export interface RequestKey {
  readonly id: string;
  readonly hash: string;
}

interface OfCall extends At {
  /** Key of the call; absent when it has none. A key that was already applied changes nothing. */
  readonly request?: RequestKey;
}

/** How an attempt ended. */
export type Outcome =
  | ({ readonly ok: true; readonly output: Json } & Took)
  /**
   * `deferMs`: the call was refused before it reached the tool. It is repeated after that time and uses up no attempt.
   */
  | ({
      readonly ok: false;
      readonly error: TaskError;
      readonly deferMs?: number;
      readonly suspended?: Suspension;
    } & Took);

interface Took {
  /** How long the work took, as the one that did it says, whole milliseconds. */
  readonly tookMs?: number;
}

/**
 * A graph that was interrupted, which resumes from its checkpoint when the answer arrives, or a call that the gate lets
 * out only if a person approves it.
 */
export interface Suspension {
  /** Identifies the interrupt, and the answer carries it back; of the gate: what is asked. */
  readonly key: string;
  /** The gate asks: nothing was called. */
  readonly gate?: true;
  readonly wait: { readonly kind: "approval" } | { readonly kind: "signal"; readonly name: string };
  /** The question of the graph: parameters of the approval. */
  readonly value: JsonObject;
  readonly timeoutMs: number | null;
}

/** What an attempt ended with: a question. Replaced, never mutated. */
export interface Asked {
  readonly key: string;
  readonly value: JsonObject;
  /** The gate asks. */
  readonly gate: boolean;
  /** The gate asks about an attempt that an instance that is gone had begun: what came of that call is unknown. */
  readonly repeats: boolean;
}

/** How a child run ended. */
export interface ChildEnd {
  readonly phase: "COMPLETED" | "FAILED" | "CANCELED" | "TERMINATED" | "TIMED_OUT";
  readonly output: Json;
  readonly error: RunError | null;
}

/** An event of a run. */
export type RunEvent =
  | (At & {
      readonly type: "start";
      readonly tenantId: string;
      readonly vars: JsonObject;
      readonly deadlineAt: number | null;
      readonly startAt: number | null;
      /** Absent: the run has no limit. */
      readonly limit?: RunLimit;
      readonly facts: StartFacts;
      /** Sequence of the first record; absent: 1. */
      readonly sequence?: number;
      /** Signals that arrive with the start, and their sender. */
      readonly signals: readonly { readonly name: string; readonly payload: Json }[];
      readonly by?: string;
      /** Why the run cannot begin: it fails at once; absent: it begins. */
      readonly refusal?: { readonly type: string; readonly message: string };
    })
  /** The answer to a need. `mayLeave`: whether the carrier of the task takes it now; absent: it does. */
  | (At & {
      readonly type: "evaluated";
      readonly need: Need;
      readonly result: EvaluationResult;
      readonly mayLeave?: boolean;
    })
  /** An attempt ended. Ignored when `token` does not belong to the current attempt. */
  | (At & {
      readonly type: "reported";
      readonly task: string;
      readonly token: number;
      readonly outcome: Outcome;
      readonly random: number;
      /** Where the report was read; absent: it came over no log. */
      readonly place?: Place;
    })
  /**
   * A worker takes a scheduled task. Ignored when the task is no longer waiting for a hand-over. `queued`: it had a row
   * in its queue.
   */
  | (At & { readonly type: "hand_over"; readonly task: string; readonly to: string; readonly queued: boolean })
  /**
   * The limit of a task, or with an empty path that of the run, has a slot for it. Ignored when it no longer waits with
   * what it `asked`, the sequence of a record.
   */
  | (At & { readonly type: "granted"; readonly task: string; readonly asked: number })
  /** The worker acknowledged the hand-over with this token. */
  | (At & { readonly type: "started"; readonly task: string; readonly token: number })
  /** The hand-over with this token came to nothing. */
  | (At & {
      readonly type: "returned";
      readonly task: string;
      readonly token: number;
      readonly reason: ReturnReason;
      readonly random: number;
    })
  /** A scheduled task has waited for as long as its queue allows. Ignored when it no longer waits. */
  | (At & { readonly type: "queue_expired"; readonly task: string; readonly queue: string; readonly ttlMs: number })
  /** The holder of the hand-over with this token saved what the next attempt needs, as JSON text. */
  | (At & {
      readonly type: "checkpoint";
      readonly task: string;
      readonly token: number;
      readonly checkpoint: string;
    })
  /** The work goes on without the holder of the hand-over with this token. */
  | (At & { readonly type: "detach"; readonly task: string; readonly token: number })
  /** Somebody ends an attempt whose work is done elsewhere. Ignored when there is none. */
  | (OfCall & {
      readonly type: "tell";
      readonly task: string;
      readonly outcome: Outcome;
      readonly by: string;
      readonly why: string;
      readonly random: number;
    })
  /** The call of the attempt with this token was answered with success: its result comes later. */
  | (At & { readonly type: "called"; readonly task: string; readonly token: number })
  /** A run that used up its time slice continues. */
  | (At & { readonly type: "continue" })
  /**
   * Time passed: the earliest due timer fires. `by` is the current time, no later than the database's clock, and
   * determines what is due; it defaults to `at`.
   */
  | (At & { readonly type: "due"; readonly by?: number; readonly random: number })
  | (OfCall & { readonly type: "signal"; readonly name: string; readonly payload: Json; readonly by?: string })
  /** A person decided. Ignored when the approval is no longer pending. */
  | (OfCall & {
      readonly type: "decided";
      /** Id of the approval. */
      readonly approval: number;
      readonly approved: boolean;
      readonly by: string;
      readonly comment: string;
      readonly data: Json;
    })
  | (At & {
      readonly type: "child";
      readonly task: string;
      readonly runId: string;
      readonly end: ChildEnd;
      readonly random: number;
    })
  | (OfCall & { readonly type: "cancel"; readonly by: string; readonly reason: string; readonly compensate: boolean })
  | (OfCall & { readonly type: "terminate"; readonly by: string; readonly reason: string })
  | (OfCall & { readonly type: "hold"; readonly hold: HoldKind; readonly by: string; readonly why: string })
  | (OfCall & { readonly type: "release"; readonly hold: HoldKind; readonly by: string; readonly why: string })
  /** A budget that the run spends is nearly used up. */
  | (At & { readonly type: "budget_warned"; readonly budget: string; readonly why: string })
  /**
   * A new owner took the run over: running attempts are dispatched again. The takeover is counted unless the previous
   * owner released the run cleanly (`clean`).
   */
  | (At & { readonly type: "recover"; readonly clean: boolean });

/**
 * A value that must be evaluated before the run can continue. The runtime evaluates it and answers with an `evaluated`
 * event.
 */
export type Need =
  | { readonly kind: "task"; readonly path: string; readonly first: string | null }
  | { readonly kind: "transitions"; readonly state: string }
  | { readonly kind: "on"; readonly state: string; readonly signal: number; readonly entries: readonly number[] }
  | { readonly kind: "after"; readonly state: string }
  | { readonly kind: "output" };

/**
 * The result of an evaluation. `task`: the parameters (for a condition the boolean, for a map the items), in `limits`
 * the evaluated limits, in `limitKey` the key of its limit, null if it has none, and in `serviceLimit` the name of the
 * limit of the service that it calls, if it has none of its own. `transitions`: the index of the entry that matched, or
 * -1. `on`: `{index, error}`, with the same kind of index, and the error of the first guard that failed, or null.
 * `after`: the delays in milliseconds. `output`: the output of the run.
 */
export type EvaluationResult =
  | {
      readonly ok: true;
      readonly value: Json;
      readonly limits?: TaskLimits | null;
      readonly limitKey?: string | null;
      readonly serviceLimit?: string;
    }
  | { readonly ok: false; readonly error: TaskError };
