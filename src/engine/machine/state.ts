/**
 * The state of a run: what folding its journal gives.
 *
 * A run has a *phase*; the public state is derived from phase, holds and tasks by {@link publicState}:
 *
 *   QUEUED → RUNNING → COMPLETED
 *               │ ├──→ CANCELING → (COMPENSATING →) FAILED | CANCELED | TIMED_OUT
 *               │ └──→ COMPENSATING → FAILED | TIMED_OUT
 *               └────→ FAILED            any open phase → TERMINATED
 *
 * Legal transitions are data ({@link PHASE_TRANSITIONS}, {@link TASK_TRANSITIONS}); `applyRecord` refuses all others.
 */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { RunLimit, TaskLimits } from "../../flows/plan.ts";
import type { Asked } from "./events.ts";
import type {
  Answer,
  ApprovalEnd,
  Cause,
  DeadLetterReason,
  GuardError,
  HoldKind,
  LimitSlot,
  Place,
  RunError,
  SkipReason,
  StartFacts,
  TaskError,
  Wait,
} from "./records.ts";

/** Stored phase of a run. */
export type Phase =
  | "QUEUED"
  | "RUNNING"
  | "CANCELING"
  | "COMPENSATING"
  | "COMPLETED"
  | "FAILED"
  | "CANCELED"
  | "TERMINATED"
  | "TIMED_OUT";

/** State of a run as callers see it. */
export type RunStateName = Phase | "WAITING" | "PAUSED" | "SUSPENDED" | "QUARANTINED";

/** Stored state of a task. PENDING tasks are not stored. */
export type TaskStateName =
  | "PENDING"
  | "SCHEDULED"
  | "RUNNING"
  | "RETRYING"
  | "WAITING"
  | "COMPLETED"
  | "FAILED"
  | "SKIPPED"
  | "CANCELED"
  | "TIMED_OUT"
  | "COMPENSATED";

/** Every legal transition of a run's phase. */
export const PHASE_TRANSITIONS: Readonly<Record<Phase, readonly Phase[]>> = {
  QUEUED: ["RUNNING", "CANCELED", "TERMINATED", "TIMED_OUT", "FAILED"],
  RUNNING: ["CANCELING", "COMPENSATING", "COMPLETED", "FAILED", "TERMINATED"],
  CANCELING: ["COMPENSATING", "FAILED", "CANCELED", "TIMED_OUT", "TERMINATED"],
  COMPENSATING: ["FAILED", "CANCELED", "TIMED_OUT", "TERMINATED"],
  COMPLETED: [],
  FAILED: [],
  CANCELED: [],
  TERMINATED: [],
  TIMED_OUT: [],
};

/**
 * Every legal transition of a task. A new dispatch after a takeover is RUNNING → RUNNING, a hand-over SCHEDULED →
 * SCHEDULED until the other side acknowledges it.
 */
export const TASK_TRANSITIONS: Readonly<Record<TaskStateName, readonly TaskStateName[]>> = {
  PENDING: ["SCHEDULED", "RUNNING", "WAITING", "COMPLETED", "FAILED", "SKIPPED", "CANCELED", "TIMED_OUT"],
  SCHEDULED: ["SCHEDULED", "RUNNING", "RETRYING", "COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"],
  RUNNING: ["SCHEDULED", "RUNNING", "RETRYING", "WAITING", "COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"],
  RETRYING: ["SCHEDULED", "RUNNING", "WAITING", "FAILED", "TIMED_OUT", "CANCELED"],
  WAITING: ["RUNNING", "RETRYING", "COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"],
  COMPLETED: ["COMPENSATED"],
  FAILED: ["COMPENSATED"],
  SKIPPED: [],
  CANCELED: ["COMPENSATED"],
  TIMED_OUT: ["COMPENSATED"],
  COMPENSATED: [],
};

/** Returns true when nothing more can happen in this phase. */
export function isTerminalPhase(phase: Phase): boolean {
  return PHASE_TRANSITIONS[phase].length === 0;
}

/** Returns true when the task has ended. */
export function isTerminalTask(state: TaskStateName): boolean {
  switch (state) {
    case "COMPLETED":
    case "FAILED":
    case "SKIPPED":
    case "CANCELED":
    case "TIMED_OUT":
    case "COMPENSATED":
      return true;
    default:
      return false;
  }
}

/** A hold: who stopped the run, why, and since when. */
export interface Hold {
  readonly kind: HoldKind;
  readonly by: string;
  readonly why: string;
  readonly since: number;
}

/** A signal that arrived and has not been consumed. */
export interface Signal {
  readonly id: number;
  readonly name: string;
  readonly payload: Json;
  readonly at: number;
}

/** Guards that failed on a queued signal. */
export interface GuardFailure {
  /** States whose guards failed on it. */
  readonly states: readonly string[];
  /** Error of the state that failed last. */
  readonly error: GuardError;
}

/** A question to people, one for each time a task asks. Replaced, never mutated. */
export interface Approval {
  /** Sequence of the record that asked the question; unique in the run. */
  readonly id: number;
  /** Path of the task. */
  readonly task: string;
  readonly state: "PENDING" | ApprovalEnd | "CANCELED";
  /** The question: evaluated parameters of the task, or the value of the graph's interrupt. */
  readonly parameters: JsonObject;
  readonly createdAt: number;
  /** When it expires, or would have expired; null: never. */
  readonly dueAt: number | null;
  /** When it was decided, expired, or was canceled; null while it is pending. */
  readonly endedAt: number | null;
  /** Who decided; empty when unknown, expired, or canceled. */
  readonly by: string;
  readonly comment: string;
  readonly data: Json;
}

/** Children of a `parallel` or `map` task. */
export interface Group {
  readonly count: number;
  readonly items: readonly Json[] | null;
  /** Index of the next child to start. */
  next: number;
  /** Children that have started and not ended. */
  open: number;
  /** Lowest index of a failed child; -1: none. */
  failed: number;
}

/** State of one task. */
export interface TaskState {
  readonly path: string;
  state: TaskStateName;
  /** Attempts dispatched in this generation. */
  attempt: number;
  generation: number;
  input: Json | undefined;
  output: Json | undefined;
  /** Error of the last failed attempt; null once the task completed. */
  error: TaskError | null;
  reason: SkipReason | null;
  /** A failure that `on_error: continue` made harmless. */
  handled: boolean;
  /** Limits that were evaluated when the task was scheduled; null: none. */
  limits: TaskLimits | null;
  /** Its place at its limit; null: it has not asked for a slot. */
  limitSlot: LimitSlot | null;
  /** Why the task is a dead letter; null: it is not one. */
  deadLetter: DeadLetterReason | null;
  /** For `one_success`: id of the dependency that succeeded first. */
  first: string | null;
  wait: Wait | null;
  /** The question of an interrupted graph, or of the gate; null when nothing is asked. */
  suspension: Asked | null;
  /** The key of the call that a person has approved, for all later attempts; null: none. */
  approvedCall: string | null;
  /** Last answer to an interrupt: every later attempt receives it. */
  answer: Answer | null;
  /** Time of the next attempt (RETRYING) or end of the wait (WAITING). */
  dueAt: number | null;
  /** Fencing token: sequence of the record that dispatched the current attempt. */
  token: number;
  /** Sequence of the record that dispatched the attempt first: a takeover dispatches it again. 0: never. */
  callToken: number;
  /** The attempt that `callToken` belongs to. */
  callAttempt: number;
  /** Session of the worker, or the topic, that the current attempt is handed out to; null: it is not handed out. */
  handedTo: string | null;
  /** Hand-overs of the current attempt that were lost. */
  losses: number;
  /** The work goes on without the worker that it was handed out to. */
  detached: boolean;
  /** Its last failed attempts, oldest first; empty once it has completed. */
  failures: readonly FailedAttempt[];
  /** Of the answers that ended its attempts, the last one of each log. */
  places: readonly Place[];
  /** What the next attempt needs, as JSON text; null: nothing was saved, or the task has ended. */
  checkpoint: string | null;
  /**
   * Whether the task may have had an effect outside: `none` (no call had one), `open` (one call is unaccounted for; its
   * report may still prove that it had none), `possible`. Everything but `none` is compensated.
   */
  effect: "none" | "open" | "possible";
  /** Sequence of the first dispatch or wait; 0: never. */
  dispatchedAtSequence: number;
  scheduledAt: number;
  /** When the current attempt could have begun; deferring the call does not change it. */
  readyAt: number;
  startedAt: number;
  endedAt: number;
  group: Group | null;
}

/** A failed attempt, from 1. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly at: number;
  readonly type: string;
  readonly message: string;
}

/** Where an FSM run stands. */
export interface FsmPosition {
  state: string;
  visit: number;
  /** Visits of each state so far. */
  readonly visits: Map<string, number>;
  /** Order in which states were entered. */
  readonly path: string[];
  transitions: number;
  armed: boolean;
  after: readonly { readonly index: number; readonly dueAt: number }[];
  /** The task's result was judged and no transition matched: now only signals and timers trigger one. */
  settled: boolean;
}

/** State of a run. Mutated by `applyRecord` alone. */
export interface RunState {
  readonly runId: string;
  tenantId: string;
  flowId: string;
  version: string;
  hash: string;
  phase: Phase;
  cause: Cause | null;
  /** When the cause was decided, milliseconds; 0 without one. */
  causeAt: number;
  holds: readonly Hold[];
  /** Sequence of the last record; 0: there is none. */
  sequence: number;
  vars: JsonObject;
  facts: StartFacts;
  createdAt: number;
  updatedAt: number;
  endedAt: number;
  deadlineAt: number | null;
  /** When a QUEUED run starts. */
  startAt: number | null;
  /** Null: none. */
  limit: RunLimit | null;
  /** Its place at that limit; null: it has not asked for a slot. */
  limitSlot: LimitSlot | null;
  /** When the engine stops waiting for running attempts in CANCELING. */
  boundAt: number | null;
  readonly tasks: Map<string, TaskState>;
  /** Due times of tasks that wait or retry, by path. */
  readonly timers: Map<string, number>;
  /** Approvals that the run asked for, by id, oldest first. */
  readonly approvals: Map<number, Approval>;
  /** Unconsumed signals, oldest first. */
  signals: Signal[];
  signalCount: number;
  /** Unconsumed signals that guards failed on, by signal id. */
  readonly guardFailures: Map<number, GuardFailure>;
  /**
   * Request ids of calls that were applied to this run, with their hashes, oldest first: the last {@link MAX_REQUESTS},
   * and all of the last {@link REQUEST_ID_RETENTION_MS}.
   */
  requests: Map<string, { readonly hash: string; readonly at: number }>;
  output: Json | undefined;
  error: RunError | null;
  /** First unhandled failure; decides the end of a DAG run. */
  failure: RunError | null;
  fsm: FsmPosition | null;
  /** Paths to compensate, in order, and how many are done. */
  compensation: { readonly order: readonly string[]; done: number } | null;
  /** Top-level tasks that have ended (excluding compensation tasks). */
  ended: number;
  /** Tasks that run here or will be retried automatically. */
  active: number;
  /** Tasks that wait for a hand-over or are handed out. */
  away: number;
  /** Those of them that are handed out to somebody who shows that he has them. */
  handedOut: number;
  /** Characters of all checkpoints in the journal. */
  checkpointSize: number;
  /** Tasks that wait for a timer, signal, approval, or child run. */
  waiting: number;
  /** Tasks that wait for a child run. */
  childRuns: number;
  /**
   * Takeovers after a crash since the last progress. Until it makes progress, its owner tries each of its events alone.
   */
  recoveries: number;
}

/** How many request ids a run remembers. */
export const MAX_REQUESTS = 1_000;
/** Minimum time for which a run remembers the request ids of calls, milliseconds. */
export const REQUEST_ID_RETENTION_MS = 86_400_000;

/** An empty state; `run.started` is its first record. */
export function createState(runId: string): RunState {
  return {
    runId,
    tenantId: "",
    flowId: "",
    version: "",
    hash: "",
    phase: "QUEUED",
    cause: null,
    causeAt: 0,
    holds: [],
    sequence: 0,
    vars: {},
    facts: { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null },
    createdAt: 0,
    updatedAt: 0,
    endedAt: 0,
    deadlineAt: null,
    startAt: null,
    limit: null,
    limitSlot: null,
    boundAt: null,
    tasks: new Map(),
    timers: new Map(),
    approvals: new Map(),
    signals: [],
    signalCount: 0,
    guardFailures: new Map(),
    requests: new Map(),
    output: undefined,
    error: null,
    failure: null,
    fsm: null,
    compensation: null,
    ended: 0,
    active: 0,
    away: 0,
    handedOut: 0,
    checkpointSize: 0,
    waiting: 0,
    childRuns: 0,
    recoveries: 0,
  };
}

/** The position of an FSM run before its first state is entered. */
export function createFsmPosition(): FsmPosition {
  return { state: "", visit: 0, visits: new Map(), path: [], transitions: -1, armed: false, after: [], settled: false };
}

/**
 * Returns the public state. Phases other than RUNNING map to themselves. A RUNNING run under a hold shows the hold
 * (quarantine before {@link isPaused} before budget and limit); without a hold, it is WAITING when everything that is
 * open waits for something outside.
 */
export function publicState(state: RunState): RunStateName {
  if (state.phase !== "RUNNING") return state.phase;
  if (state.holds.length > 0) {
    if (state.holds.some((hold) => hold.kind === "quarantine")) return "QUARANTINED";
    return isPaused(state) ? "PAUSED" : "SUSPENDED";
  }
  if (state.active > 0 || state.away > 0) return "RUNNING";
  return state.waiting > 0 || state.fsm?.settled || (state.fsm !== null && state.fsm.after.length > 0)
    ? "WAITING"
    : "RUNNING";
}

/** Returns true when somebody paused the run or the run that started it: its child runs are then held as well. */
export function isPaused(state: RunState): boolean {
  return state.holds.some((hold) => hold.kind === "operator" || hold.kind === "parent");
}

/**
 * Returns true when the run, once settled, makes progress without outside input. Others wait for a timer or for outside
 * input.
 */
export function isMoving(state: RunState): boolean {
  if (state.phase === "CANCELING" || state.phase === "COMPENSATING") return true;
  return state.phase === "RUNNING" && (state.active > 0 || state.childRuns > 0);
}

/** Returns a copy that later records do not change. Values (inputs, outputs) are shared: they are immutable. */
export function copyState(state: RunState): RunState {
  const tasks = new Map<string, TaskState>();
  for (const [path, task] of state.tasks)
    tasks.set(path, { ...task, group: task.group === null ? null : { ...task.group } });
  return {
    ...state,
    tasks,
    timers: new Map(state.timers),
    approvals: new Map(state.approvals),
    signals: [...state.signals],
    guardFailures: new Map(state.guardFailures),
    requests: new Map(state.requests),
    fsm: state.fsm === null ? null : { ...state.fsm, visits: new Map(state.fsm.visits), path: [...state.fsm.path] },
    compensation: state.compensation === null ? null : { ...state.compensation },
  };
}
