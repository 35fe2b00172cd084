/**
 * The port of the outbox: what runs send to topics. A row that exists has not been sent. It is written in the commit of
 * the transition that sends it, and deleted once the broker has it, so everything is sent at least once.
 */
import type { Json, JsonObject } from "../../../base/json/json.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import type { FailedAttempt } from "../../machine/state.ts";

/** Ways out. Each has its own relay: one that takes nothing holds up no other. */
export type DestinationName = "kafka" | "redis" | "webhook" | "stream";

/** A task for an executor. */
export interface OutgoingTask {
  /** The name by which executors know the task; absent in messages of before: its path. */
  readonly taskId?: string;
  readonly handler: string;
  readonly inputs: Json;
  /** From 1. */
  readonly attempt: number;
  readonly maxRetries: number;
  /** Start-to-close timeout, milliseconds; null: none. */
  readonly timeoutMs: number | null;
  readonly correlationId: string;
  readonly userId: string;
  readonly context: JsonObject | null;
  /** Position of the attempt in its trace; absent: it has none. */
  readonly trace?: TraceContext;
  readonly idempotencyKey: string;
  /** Fencing token. */
  readonly fence: number;
}

/** An event of an `emit` task. */
export interface OutgoingEvent {
  readonly payload: Json;
  readonly headers: Json;
  /** The same for all copies of the event; those for topics have none. */
  readonly idempotencyKey?: string;
  readonly flowId?: string;
  /** Requests of runs that led to the start of the run; absent: none. */
  readonly hops?: number;
  /** Position of its task in the trace of the run; absent: it has none. */
  readonly trace?: TraceContext;
}

/** Topic of attempts that are over though nobody has answered. */
export const TASK_CONTROL_TOPIC = "task_control";

/** Why an attempt is over though the one that has it has not answered. */
export type RecallReason =
  | "RUN_CANCELED"
  | "RUN_FAILED"
  | "RUN_TIMED_OUT"
  | "RUN_TERMINATED"
  | "TASK_CANCELED"
  | "TIMEOUT"
  | "ENDED_BY_CALL";

/** An attempt that the executor that has it may stop, or leave alone if it has not begun. */
export interface OutgoingControl {
  /** The name by which executors know the task. */
  readonly taskId: string;
  /** The topic that the task went to. */
  readonly topic: string;
  readonly handler: string;
  /** From 1. */
  readonly attempt: number;
  readonly fence: number;
  readonly reason: RecallReason;
  readonly message: string;
  readonly correlationId: string;
}

/** Topic of tasks that are not tried again, and of messages that can never be applied. */
export const DEAD_LETTER_TOPIC = "dead_letter_queue";

/** A task that is not tried again. */
export interface OutgoingDeadLetter {
  /** As in {@link OutgoingTask}. */
  readonly taskId?: string;
  readonly flowId: string;
  readonly version: string;
  /** The executor's function; for tasks of other types, the type. */
  readonly handler: string;
  readonly inputs: Json;
  readonly attempts: number;
  /** The last ones, oldest first. */
  readonly errors: readonly FailedAttempt[];
  readonly error: { readonly type: string; readonly message: string; readonly details?: Json };
  /** Why it is not tried again. */
  readonly reason: string;
  readonly scheduledAt: number;
  readonly correlationId: string;
  readonly userId: string;
  readonly context: JsonObject | null;
}

/** A message that can never be applied, as it came: bytes are base64. */
export interface OutgoingRejected {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly { readonly name: string; readonly value: string | null }[];
  readonly sentAt: number;
  readonly reason: string;
  readonly problem: string;
}

/** An event that is not tried any more, as the topic of dead letters has it. */
export interface OutgoingUndelivered {
  readonly messageId: string;
  readonly destination: DestinationName;
  readonly place: string;
  readonly code: RejectionCode;
  readonly reason: string;
  readonly event: OutgoingEvent;
}

/** Where messages about executions of workflows go. */
export const EXECUTION_ANSWERS = "workflow-responses";

/** How an execution of a workflow begins or ends, as it is sent. */
export interface OutgoingAnswer {
  readonly execution_id: string;
  /** The caller's, or that of the run. */
  readonly correlation_id: string;
  /** `pending`: it waits until fewer executions are open. */
  readonly status: "pending" | "running" | "completed" | "failed" | "cancelled";
  /** Null: the workflow came with the request. */
  readonly workflow_template: string | null;
  readonly output: Json;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly started_at: string;
  readonly completed_at: string | null;
}

/** What is sent. */
export type OutgoingContent =
  | { readonly kind: "task"; readonly content: OutgoingTask }
  | { readonly kind: "event"; readonly content: OutgoingEvent }
  | { readonly kind: "dead_letter"; readonly content: OutgoingDeadLetter }
  | { readonly kind: "rejected"; readonly content: OutgoingRejected }
  | { readonly kind: "undelivered"; readonly content: OutgoingUndelivered }
  | { readonly kind: "control"; readonly content: OutgoingControl }
  | { readonly kind: "answer"; readonly content: OutgoingAnswer };

/** A message, as the transition that sends it has it. */
export type OutboxRow = OutgoingContent & {
  readonly taskPath: string;
  readonly tenantId: string;
  readonly destination: DestinationName;
  /** Where it goes there. */
  readonly topic: string;
  /** Messages with one key are read in their order. */
  readonly key: string;
  /** Sequence of its record in the run: messages of a run are sent in this order. */
  readonly sequence: number;
  /** When the record was written, milliseconds since the epoch. */
  readonly at: number;
};

/** A message on its way out. */
export type Outgoing = OutboxRow & { readonly runId: string };

/** A message as stored. */
export interface StoredOutgoing {
  readonly id: OutgoingId;
  readonly message: Outgoing;
}

/** Names a row of the outbox. */
export interface OutgoingId {
  readonly shard: number;
  readonly id: string;
}

/**
 * Why a message is not tried any more: the other side refuses it, it could not be delivered for too long, it cannot be
 * written there, or the configuration does not name its place.
 */
export type RejectionCode = "REFUSED" | "EXPIRED" | "INVALID" | "UNSERVED";

/** A message that can never be sent. */
export interface RejectedOutgoing {
  readonly id: OutgoingId;
  /** REFUSED when absent. */
  readonly code?: RejectionCode;
  readonly reason: string;
}

/** Whose events stay where they are, because an operator has switched it off. */
export interface HeldEvents {
  readonly tenantId: string;
  /** Empty: all flows of the tenant. */
  readonly flowId: string;
}

/** Whose events stay for now; usually nobody's. */
export type ListHeldEvents = () => readonly HeldEvents[];

/** Unsent messages of one destination. */
export interface Outbox {
  /**
   * A page of unsent messages of these shards, the oldest first; those of a run in their order. What is under way,
   * topics in `without`, and events that are held are left out.
   */
  list(
    shards: readonly number[],
    underWay: readonly OutgoingId[],
    without: readonly string[],
  ): Promise<readonly StoredOutgoing[]>;
  /** These are sent. */
  delete(ids: readonly OutgoingId[]): Promise<void>;
  /** How many messages of all shards are unsent, and the bytes of what they carry. Costs as much as there are. */
  measure(): Promise<{ readonly messages: number; readonly bytes: number }>;
  /** These can never be sent: they are kept with the reason, and tasks among them are to be failed. */
  reject(rejected: readonly RejectedOutgoing[]): Promise<void>;
}

/**
 * Deletes the oldest messages of a destination unsent: `part` (more than 0, up to 1) of those of these shards. Resolves
 * with how many these were.
 */
export type DropOldest = (shards: readonly number[], part: number) => Promise<number>;

/** Unsent messages for one place: the endpoint of a webhook, a topic, a Stream. */
export interface PlaceOutbox extends Pick<Outbox, "delete" | "measure" | "reject"> {
  /** The oldest unsent events of these shards, those of a run in their order; runs in `without` are left out. */
  list(shards: readonly number[], without: readonly string[], limit: number): Promise<readonly StoredOutgoing[]>;
}

/** A place of a destination. */
export interface OutboxPlace {
  readonly destination: DestinationName;
  readonly place: string;
}

/** Messages for places that nobody may serve. */
export interface UnservedOutbox {
  /** Places that have unsent messages. */
  listPlaces(): Promise<readonly OutboxPlace[]>;
  of(destination: DestinationName, place: string): PlaceOutbox;
  /**
   * Has messages sent again that were kept as UNSERVED, at most `limit`: of a destination (null), or of some
   * places. Resolves with how many.
   */
  restore(destination: DestinationName, places: readonly string[] | null, limit: number): Promise<number>;
}

/** A task whose message was rejected. */
export interface RejectedTask extends RejectedOutgoing {
  readonly runId: string;
  readonly topic: string;
  /** Fencing token of the hand-over. */
  readonly fence: number;
}

/** Rejected messages of tasks. */
export interface RejectedTasks {
  /** Those of these shards whose tasks have not failed yet, after `after`; at most `limit`. */
  list(shards: readonly number[], after: OutgoingId | null, limit: number): Promise<readonly RejectedTask[]>;
  /** The tasks of these have failed, or ended otherwise. */
  settle(ids: readonly OutgoingId[]): Promise<void>;
}
