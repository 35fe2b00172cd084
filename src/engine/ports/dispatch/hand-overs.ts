/**
 * Handed-out work: tasks that are done elsewhere. The journal of the run says who has a task; this port is between runs
 * and those that take their tasks, which are one {@link Takers} for each carrier.
 *
 * A hand-over is durable before anything is sent. It has a fencing token of its own, so that what an earlier holder
 * says is told apart from what the current one says.
 */
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import type { Outcome } from "../../machine/events.ts";
import type { Place, ReturnReason, TaskError } from "../../machine/records.ts";
import type { TaskStateName } from "../../machine/state.ts";
import type { TaskNote, TaskProgress } from "../run-watch.ts";

/** Which tasks somebody can do: those of a tenant, in a queue, for a handler. */
export interface Line {
  readonly tenantId: string;
  /** Name of a queue that workers serve, or an address on another carrier; see tasks/addresses.ts. */
  readonly queue: string;
  readonly handler: string;
}

/** A line in which all tasks ask for the same labels. */
export interface LabeledLine extends Line {
  /** Labels that a worker must have: `key=value`, sorted, joined by commas; empty: none. */
  readonly labels: string;
}

/** A task that waits for a hand-over. */
export interface ReadyTask extends LabeledLine {
  readonly runId: string;
  readonly path: string;
  /** Tasks of a queue with a higher priority are handed out first. */
  readonly priority: number;
  /** Tasks of a line and priority with different keys take turns; empty: it goes by time. */
  readonly fairnessKey: string;
  /** When it has its turn: the time at which it became ready, or for one with a key what the store says. */
  readonly turn: number;
  /** When it became ready, milliseconds since the epoch. */
  readonly since: number;
}

/** A hand-over, as what is said about it names it. */
export interface HandOverRef {
  readonly runId: string;
  /** Fencing token: sequence of the record that handed the task out. */
  readonly fence: number;
}

/** A task on its way to the one that does it. */
export interface HandedTask extends HandOverRef, Pick<ReadyTask, "path" | "queue" | "handler" | "since"> {
  readonly flowId: string;
  readonly correlationId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Its input as JSON text. */
  readonly inputJson: Uint8Array;
  /** Start-to-close timeout, milliseconds; null: none. */
  readonly timeoutMs: number | null;
  readonly heartbeatMs: number | null;
  /** What an earlier attempt saved, as JSON text; null: nothing. */
  readonly checkpoint: string | null;
  /** Position of the attempt in its trace; absent or null: it has none. */
  readonly trace?: TraceContext | null;
}

/** A place at somebody who takes tasks. It is taken until it is released. */
export interface Slot {
  /** Who takes the task, as the journal names it. */
  readonly to: string;
  /** When its holder was lost sight of, `performance.now()`; null: it is in reach. */
  readonly lostAt: number | null;
  /** The hand-over is durable: sends the task. */
  send(task: HandedTask): void;
  /** The task is no longer wanted. The slot stays taken until the holder says that it has stopped. */
  cancel(reason: string): void;
  /** Nobody works on the task here any more. Safe to call more than once. */
  release(): void;
}

/** Those that take the tasks of a carrier, on this instance. */
export interface Takers {
  /** False: there are tasks that they do not take for now, and that wait. */
  readonly isOpen: boolean;
  /** Whether they take tasks for a place, see {@link Work.destination}; absent: as `isOpen` says. */
  isOpenFor?(place: string): boolean;
  /** Reserves a slot for a task that has just become ready; null: it waits in its queue. */
  reserve(task: ReadyTask): Slot | null;
  /** A task waits in its queue, durably. */
  waits(task: ReadyTask): void;
  /** Tasks that wait in the store may be handed out here: their shards are ours since now. */
  look(): void;
  /** Whether anybody, here or at another instance, can do the tasks of a line. */
  isServed(line: LabeledLine): boolean;
  /** The slot of a task that was handed out by somebody else; absent: the one who has it makes itself known. */
  slotOf?(to: string, ref: HandOverRef): Slot;
}

/** A task as an answer names it. */
export interface AnsweredTask {
  readonly runId: string;
  /** External id of the task, or its path; null: the fencing token names it. */
  readonly taskId: string | null;
  /** The attempt that the answer is for; null: it does not say. */
  readonly attempt: number | null;
  /** The fencing token of the hand-over; null: the answer has none. */
  readonly fence: number | null;
  /** When the work began at the latest, milliseconds since the epoch. */
  readonly begunAt: number;
  /** Where the answer was read; null: nobody keeps account of that. */
  readonly place: Place | null;
}

/** What became of what a holder said. */
export type Standing = "accepted" | "cancel_requested" | "outdated" | "unknown" | "refused";

/** The attempt goes on, and has something to tell those who watch. */
export interface Told {
  readonly note: TaskProgress;
}

/**
 * Why an answer changed nothing: it names another attempt, its work began before the current one, it was read again, or
 * the attempt is over.
 */
export type IgnoredAnswer = "OTHER_ATTEMPT" | "BEFORE_ATTEMPT" | "READ_AGAIN" | "ATTEMPT_OVER";

/** A report on an attempt that ended in another way, and what stands. */
export interface AlreadyReported {
  readonly standing: "already_reported";
  readonly state: TaskStateName;
  /** JSON type of the output; empty when there is none. */
  readonly outputType: "" | "null" | "boolean" | "number" | "string" | "array" | "object";
  readonly error: TaskError | null;
}

/** The hand-overs of the runs of this instance. Errors of every method: RUN_MOVED, RUN_UNREADABLE, RUN_QUARANTINED. */
export interface HandOvers {
  /**
   * Hands a waiting task out. False when it no longer waits, or when its run cannot be loaded or committed; then {@link
   * Takers.waits} is called again after a pause, which grows. The slot is free again in both cases.
   */
  handOver(task: ReadyTask, slot: Slot): Promise<boolean>;
  /**
   * The holder has the task, and it is alive. The first time is durable with the next record of the run, or within a
   * second. `slot` is the one in which the holder does it; null: nobody knows where it is connected.
   */
  alive(ref: HandOverRef, slot: Slot | null): Promise<Standing>;
  /** The attempt ended. Resolves when that is durable. The same report again gets the same answer. */
  reported(ref: HandOverRef, outcome: Outcome): Promise<Standing | AlreadyReported>;
  /** A waiting task has waited for as long as its queue allows: it fails, durably, unless it waits no more. */
  expired(task: Pick<ReadyTask, "runId" | "path" | "queue">, ttlMs: number): Promise<void>;
  /** The holder, which has just been heard of, has something to tell those who watch. Never waits, never rejects. */
  note(ref: HandOverRef, note: TaskNote): void;
  /**
   * The holder, which has just been heard of, saved what the next attempt needs, as JSON text. The last one is durable
   * within a second, later ones after longer times, see runs/dispatch/checkpoints.ts.
   */
  checkpoint(ref: HandOverRef, text: string): void;
  /** The work goes on without the holder. Resolves when that is durable. */
  detached(ref: HandOverRef): Promise<Standing>;
  /**
   * An executor began or ended a task, or tells how it goes. An answer that names neither attempt nor fencing token
   * counts unless it is older than the current attempt. One that was applied before changes nothing. Whatever it does
   * is durable then, but for what it tells those who watch.
   */
  answered(task: AnsweredTask, outcome: Outcome | "started" | Told): Promise<"taken" | "unknown" | IgnoredAnswer>;
  /** The path of the task that is handed out; null: the hand-over is over, or its run is not at hand. */
  taskOf(ref: HandOverRef): string | null;
  /** The hand-over came to nothing. With a `holder`, a session, only if no other one is known to hold the task. */
  returned(ref: HandOverRef, reason: ReturnReason, holder?: string): Promise<Standing>;
}

/** Waiting tasks as stored. */
export interface WaitingTaskStore {
  /**
   * Waiting tasks of a line on these shards that may begin, by priority, turn, time, and id; at most `limit`, from the
   * one after `after`.
   */
  listWaiting(
    shards: readonly number[],
    line: LabeledLine,
    after: ReadyTask | null,
    limit: number,
  ): Promise<ReadyTask[]>;
  /** Labels that the tasks of a line ask for, on all shards; the empty ones are left out. */
  listLabels(line: Line): Promise<readonly string[]>;
  /**
   * Waiting tasks on these shards that may begin and whose addresses begin with `mark`, by run and path; at most
   * `limit`, after `after`. For carriers other than workers.
   */
  listCarried(
    mark: string,
    shards: readonly number[],
    after: ReadyTask | null,
    limit: number,
  ): Promise<readonly ReadyTask[]>;
  /**
   * Gives waiting tasks of these shards that are for topics the addresses that they have at this service: with `mark`
   * when topics are served, and else the bare name, for workers. Rows that a commit holds are left alone; says how many
   * they are.
   */
  readdress(shards: readonly number[], mark: string, isServed: boolean): Promise<number>;
  /** Open runs of these shards that have tasks handed out. */
  listHandedOut(shards: readonly number[]): Promise<readonly string[]>;
}
