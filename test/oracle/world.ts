/**
 * The script of the world around a run, and the shape of what came out of it. Times are virtual milliseconds since the
 * start of the run.
 */
import type { Json } from "./document.ts";

/** How an attempt ends: with an output, with the value of its `output` parameter (`echo`), with an error, or never. */
export type AttemptEnd =
  | { kind: "output"; output: Json }
  | { kind: "echo" }
  | { kind: "error"; type: string; retryable: boolean; nextRetryDelayMs?: number; noEffect?: boolean }
  | { kind: "never" };

/** What becomes of one hand-over of a worker task. Times count from the hand-over. */
export type HandOverScript = {
  /** A worker has a free slot so long after the task began to wait; null: never. */
  takenAfterMs: number | null;
  /** The worker acknowledges the task; null: it does not. */
  ackAfterMs: number | null;
  /** The worker gives the task back, or is gone. */
  ends?: { afterMs: number; how: "handed back" | "worker lost" };
};

/** What one attempt of an effectful task does. Times count from its call, or from the acknowledgement of a worker. */
export type AttemptScript = {
  durationMs: number;
  end: AttemptEnd;
  /** The call is put off so many times, each time for so long, before it ends as `end` says. */
  deferred?: { times: number; forMs: number; noEffect?: boolean };
  /** Gives its last sign of life after so many milliseconds; absent: it gives them until it ends. */
  quietAfterMs?: number;
  /** Acknowledges a request to stop after so many milliseconds; absent: it pays no attention and goes on. */
  stopsAfterMs?: number;
  /** Hand-overs of a worker task in this attempt; those that are not named succeed. */
  handOvers?: HandOverScript[];
};

/** A signal that arrives from outside. Time 0: it comes with the start of the run. */
export type SignalArrival = { at: number; name: string; payload: Json };

/** A decision on an approval. Refused, and forgotten, when that task does not wait for one. */
export type Decision = { at: number; path: string; approved: boolean; by?: string; comment?: string; data?: Json };

/** What an operator, or misfortune, does to the run. */
export type Command =
  | { at: number; kind: "cancel"; compensate: boolean }
  | { at: number; kind: "pause" | "resume" | "terminate" }
  /** The instance that owns the run dies, with the attempts that it makes; another takes the run over at once. */
  | { at: number; kind: "crash" }
  | { at: number; kind: "hold" | "release"; hold: "budget" | "limit" | "quarantine" };

/** When every run starts, milliseconds since the epoch: documents that name an instant need it. */
export const RUN_STARTS_AT = 1_000_000;

/** Everything that happens around one run. */
export type World = {
  variables: { [name: string]: Json };
  /**
   * Attempts by task path, or by task id for all visits of a state; the last one repeats. What is not named echoes
   * after 1 ms.
   */
  attempts: { [path: string]: AttemptScript[] };
  signals: SignalArrival[];
  decisions: Decision[];
  commands: Command[];
  /** Random number in [0, 1) for the jitter after each failed attempt, by path. 0.5 where there is none. */
  jitter: { [path: string]: number[] };
  /** The run is QUEUED for so long before its first task may begin. */
  startDelayMs: number;
};

/** Names of the phases in which a run can be found when nothing more happens. */
export type FinalPhase =
  | "QUEUED"
  | "RUNNING"
  | "CANCELING"
  | "COMPENSATING"
  | "COMPLETED"
  | "FAILED"
  | "CANCELED"
  | "TERMINATED"
  | "TIMED_OUT";

/** What became of a task. */
export type TaskOutcome = {
  state: string;
  reason: "NOT_TAKEN" | "UPSTREAM_FAILED" | null;
  output: Json;
  /** Type of the error of the last attempt that failed; null for a task that completed. */
  error: string | null;
  /** Why the task is a dead letter; null when it is none. */
  deadLetter: "ATTEMPTS_EXHAUSTED" | "NOT_RETRYABLE" | "DEFERRED_TOO_LONG" | "OUT_OF_TIME" | null;
  handled: boolean;
  attempts: number;
  /** Virtual time of each attempt's dispatch. */
  dispatchedAt: number[];
  /** What an `emit` sends: topic, payload and what else it says; null for all other tasks. */
  sent: Json;
  /** Which dependency a `one_success` task calls its first. */
  first: string | null;
};

/** What became of a run. Tasks that never left PENDING are not listed. */
export type Outcome = {
  phase: FinalPhase;
  error: { type: string; task: string | null } | null;
  output: Json;
  tasks: { [path: string]: TaskOutcome };
  /** States in the order in which an FSM run entered them; empty for a DAG. */
  path: string[];
  /** Tasks whose compensation started, in that order. */
  compensations: string[];
  /** Signals that nobody consumed, oldest first. */
  leftover: { name: string; payload: Json }[];
  /** What is reported of signals that guards could not judge: `name in state`, in that order. */
  unfit: string[];
};

/** The script of an attempt: that of its path, else of its state, else an echo after 1 ms. */
export function scriptOf(world: World, path: string, attempt: number): AttemptScript {
  const list = world.attempts[path] ?? world.attempts[path.replaceAll(/~\d+/g, "")] ?? [];
  return { durationMs: 1, end: { kind: "echo" }, ...list[Math.min(attempt, list.length) - 1] };
}

/** The script of the hand-over that follows `before` others of the same attempt. */
export function handOverOf(script: AttemptScript, before: number): HandOverScript {
  return { takenAfterMs: 1, ackAfterMs: 1, ...script.handOvers?.[before] };
}

/** A world in which nothing is scripted. */
export function createWorld(parts: Partial<World> = {}): World {
  return {
    variables: {},
    attempts: {},
    signals: [],
    decisions: [],
    commands: [],
    jitter: {},
    startDelayMs: 0,
    ...parts,
  };
}
