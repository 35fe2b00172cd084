/**
 * A task that the worker holds.
 *
 *   received → acknowledged → handler ended → reported → answered: no longer held
 *
 * Of what there is to say about a task, only the last word waits to be sent: a result replaces the acknowledgement before it,
 * and nothing replaces a result.
 */
import type { TaskReport, WorkerTask } from "../../../gen/typescript/connect/v1.js";
import type { TaskContext } from "./handler.ts";

/** What is said about a task. */
export type TaskEvent = TaskReport["event"];

/** Why a signal aborts. */
export type AbortCause = "CANCELED" | "OUTDATED" | "TIMEOUT" | "STOPPING";

/** See the top of the file. */
export class HeldTask implements TaskContext {
  readonly task: WorkerTask;
  /** What waits to be sent. */
  next: TaskEvent | null = null;
  /** Nothing is said after the end. */
  ended = false;
  cause: AbortCause | null = null;
  readonly deadline: Date | null;
  readonly #say: (held: HeldTask, event: TaskEvent) => void;
  #abort: AbortController | null = null;
  #alarm: NodeJS.Timeout | undefined;
  #pulse: NodeJS.Timeout | undefined;

  constructor(task: WorkerTask, say: (held: HeldTask, event: TaskEvent) => void) {
    this.task = task;
    this.#say = say;
    const { timeout, heartbeatTimeout } = task;
    const timeoutMs = toMs(timeout);
    this.deadline = timeoutMs === null ? null : new Date(Date.now() + timeoutMs);
    if (timeoutMs !== null) this.#armAlarm(timeoutMs);
    const pulseMs = toMs(heartbeatTimeout);
    if (pulseMs !== null) this.#pulse = setInterval(() => this.heartbeat(), Math.max(10, pulseMs / 3));
  }

  get runId(): string {
    return this.task.runId;
  }
  get taskId(): string {
    return this.task.taskId;
  }
  get flowId(): string {
    return this.task.flowId;
  }
  get queue(): string {
    return this.task.queue;
  }
  get handler(): string {
    return this.task.handler;
  }
  get attempt(): number {
    return this.task.attempt;
  }
  get idempotencyKey(): string {
    return this.task.idempotencyKey;
  }
  get fencingToken(): number {
    return this.task.fencingToken;
  }
  get correlationId(): string {
    return this.task.correlationId;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.cause !== null) this.#abort.abort(toReason(this.cause));
    }
    return this.#abort.signal;
  }

  heartbeat(): void {
    this.say({ case: "alive", value: { $typeName: "orchestrator.v1.TaskAlive" } });
  }

  /** Says something about the task, unless its end has been said. */
  say(event: TaskEvent): void {
    if (this.ended) return;
    // An acknowledgement is a sign of life too.
    if (event.case === "alive" && this.next !== null) return;
    this.next = event;
    this.#say(this, event);
  }

  /** Says the last word. */
  end(event: TaskEvent): void {
    this.say(event);
    this.drop();
  }

  /** Nothing more is said. */
  drop(): void {
    this.ended = true;
    clearTimeout(this.#alarm);
    clearInterval(this.#pulse);
  }

  /** Tells the handler that its result is no longer wanted. The first cause stands. */
  abort(cause: AbortCause): void {
    if (this.cause !== null) return;
    this.cause = cause;
    this.#abort?.abort(toReason(cause));
  }

  /** Longer waits than a timer can do are made of several. */
  #armAlarm(leftMs: number): void {
    const step = Math.min(leftMs, 2 ** 30);
    this.#alarm = setTimeout(() => (leftMs > step ? this.#armAlarm(leftMs - step) : this.abort("TIMEOUT")), step);
  }
}

function toReason(cause: AbortCause): DOMException {
  return new DOMException(`the task is no longer wanted: ${cause}`, "AbortError");
}

/** A duration of the contract in milliseconds; null when there is none. */
export function toMs(duration: { readonly seconds: bigint; readonly nanos: number } | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
