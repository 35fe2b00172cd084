/**
 * A task that the worker holds.
 *
 *   received → acknowledged → handler ended → reported → answered: no longer held
 *
 * What is said about a task waits to be sent together. A new word replaces the one before it of the same kind, and any word is
 * a sign of life: a handler that ends at once is one report. Nothing is said after the end.
 */
import { create } from "@bufbuild/protobuf";
import {
  LogLevel,
  TaskLoggedSchema,
  TaskProgressedSchema,
  type TaskReport,
  type WorkerTask,
} from "../../../gen/typescript/connect/v1.js";
import { cut } from "./errors.ts";
import { decodeInput, type Progress, type TaskContext } from "./handler.ts";

/** What is said about a task. */
export type TaskEvent = TaskReport["event"];

/** Why a signal aborts. */
export type AbortCause = "CANCELED" | "OUTDATED" | "TIMEOUT" | "STOPPING";

/** Bounds of the contract, characters; of checkpoints, bytes. */
const MAX_MESSAGE = 1_024;
const MAX_LINE = 4_096;
const MAX_CHECKPOINT = 65_536;
/** How many lines the service takes at once. */
const MAX_LINES = 50;

const LEVELS = { debug: LogLevel.DEBUG, info: LogLevel.INFO, warn: LogLevel.WARN, error: LogLevel.ERROR } as const;
/** Words that only say that the task is alive, as any other does. */
const SIGNS: ReadonlySet<TaskEvent["case"]> = new Set(["acknowledged", "alive"]);
const ENDS: ReadonlySet<TaskEvent["case"]> = new Set(["succeeded", "failed", "stopped", "handedBack", "detached"]);
/** Words for those who watch: they are not sent again. */
const EPHEMERAL: ReadonlySet<TaskEvent["case"]> = new Set(["progress", "log"]);

/** See the top of the file. */
export class HeldTask implements TaskContext {
  readonly task: WorkerTask;
  /** What waits to be sent, in order. */
  #waiting: TaskEvent[] = [];
  /** Nothing is said after the end. */
  ended = false;
  cause: AbortCause | null = null;
  readonly deadline: Date | null;
  #saved: unknown;
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

  get token(): string {
    return this.task.taskToken;
  }

  get lastCheckpoint(): unknown {
    const { checkpointJson } = this.task;
    if (this.#saved === undefined && checkpointJson.length > 0) this.#saved = decodeInput(checkpointJson);
    return this.#saved;
  }

  heartbeat(): void {
    this.say({ case: "alive", value: { $typeName: "orchestrator.v1.TaskAlive" } });
  }

  progress({ fraction, current, total, message = "" }: Progress): void {
    const value = create(TaskProgressedSchema, {
      message: cut(message, MAX_MESSAGE),
      ...(fraction === undefined ? {} : { fraction: Math.min(Math.max(0, fraction), 1) }),
      ...(current === undefined ? {} : { current: Math.trunc(current) }),
      ...(total === undefined ? {} : { total: Math.trunc(total) }),
    });
    this.say({ case: "progress", value });
  }

  log(text: string, level: keyof typeof LEVELS = "info"): void {
    this.say({ case: "log", value: create(TaskLoggedSchema, { text: cut(text, MAX_LINE), level: LEVELS[level] }) });
  }

  checkpoint(value: unknown): void {
    const checkpointJson = new TextEncoder().encode(JSON.stringify(value ?? null));
    const { length } = checkpointJson;
    if (length > MAX_CHECKPOINT) throw new RangeError(`a checkpoint has ${length} bytes, more than ${MAX_CHECKPOINT}`);
    this.#saved = JSON.parse(new TextDecoder().decode(checkpointJson));
    this.say({ case: "checkpoint", value: { $typeName: "orchestrator.v1.TaskCheckpointed", checkpointJson } });
  }

  detach(): void {
    this.end({ case: "detached", value: { $typeName: "orchestrator.v1.TaskDetached" } });
  }

  /** Says something about the task, unless its end has been said. */
  say(event: TaskEvent): void {
    if (this.ended) return;
    this.#keep(event);
    this.#say(this, event);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes the first `most` of what waits to be sent. */
  take(most: number): readonly TaskEvent[] {
    return this.#waiting.splice(0, most);
  }

  /** An event goes again, before what was said since. What is for watchers only is lost, and a newer word stands. */
  again(event: TaskEvent): void {
    const later = this.#waiting;
    if (EPHEMERAL.has(event.case) || later.some((one) => one.case === event.case)) return;
    if (SIGNS.has(event.case) && later.length > 0) return;
    later.unshift(event);
  }

  #keep(event: TaskEvent): void {
    if (event.case === "alive" && this.#waiting.length > 0) return;
    if (event.case === "log" && this.#waiting.length >= MAX_LINES) return;
    if (this.#waiting.length > 0)
      this.#waiting = this.#waiting.filter(
        (one) => !SIGNS.has(one.case) && (one.case !== event.case || event.case === "log"),
      );
    this.#waiting.push(event);
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

/** Whether nothing can be said about a task after the event. */
export function isEnd(event: TaskEvent): boolean {
  return ENDS.has(event.case);
}

/** A duration of the contract in milliseconds; null when there is none. */
export function toMs(duration: { readonly seconds: bigint; readonly nanos: number } | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
