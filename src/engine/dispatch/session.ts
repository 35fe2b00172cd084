/**
 * The session of a worker: its slots, its tasks, and the messages for its stream.
 *
 *   registered → stream attached ⇄ stream lost → ended, {@link Session.end}, when it has made no call for too long
 *
 * Without a stream, it gets no tasks but keeps those it has acknowledged.
 */
import { workerIdOf } from "../../base/session-ids.ts";
import type { HandedTask, HandOverRef } from "../ports/dispatch/hand-overs.ts";
import type { WorkerInfo, WorkerMessage, WorkerStop, WorkerView } from "../ports/dispatch/workers.ts";
import { Skills } from "./skills.ts";
import { type HeldRef, Taker, type TakerParts } from "./taker.ts";

/** Unread messages allowed beyond twice the number of slots. */
const UNREAD = 100;

/** Where the messages for a session go. */
export interface Stream {
  push(message: WorkerMessage): void;
  /** Number of unread messages. */
  readonly unread: number;
  /** Whether it is open for more than what is on its way. */
  readonly takesMore: boolean;
  /** Another stream took over, or the session ended. */
  close(): void;
}

/** A worker that is connected to this instance. */
export class Session extends Taker {
  readonly isHere = true;
  readonly worker: WorkerInfo;
  readonly skills: Skills;
  /** `performance.now()` of the last call that named the session. */
  lastSeenAt = performance.now();
  readonly #registeredAt = Date.now();
  /** Set once it drains: it finishes what it holds and gets no more. */
  #drain: WorkerStop | null = null;
  #stream: Stream | null = null;

  readonly #onUndelivered: (ref: HandOverRef) => void;

  /** `onUndelivered` is called with a task that was handed out while the stream was lost. */
  constructor(parts: TakerParts, worker: WorkerInfo, onUndelivered: (ref: HandOverRef) => void) {
    super(parts);
    this.worker = worker;
    this.#onUndelivered = onUndelivered;
    this.skills = new Skills(parts.tenantId, worker);
  }

  /** Whether tasks that are on their way reach it. */
  get isConnected(): boolean {
    return this.#stream !== null && this.#drain === null;
  }

  override get isReady(): boolean {
    return this.#stream?.takesMore === true && this.#drain === null && super.isReady;
  }

  override markSeen(): void {
    this.lastSeenAt = performance.now();
    super.markSeen();
  }

  attach(stream: Stream): void {
    this.#stream?.close();
    this.#stream = stream;
    if (this.#drain === null) this.offer();
    else this.#push({ type: "drain", stop: this.#drain });
  }

  /** Hands it no more tasks. The first call wins. */
  drain(by: string, why: string): void {
    if (this.#drain !== null) return;
    this.#drain = { by, why, since: Date.now() };
    this.#push({ type: "drain", stop: this.#drain });
  }

  /** The worker as it is shown. */
  view(): WorkerView {
    return {
      ...this.worker,
      workerId: workerIdOf(this.id),
      free: this.free,
      holdings: this.holdings,
      registeredAt: this.#registeredAt,
      lastSeenAt: Date.now() - Math.round(performance.now() - this.lastSeenAt),
      drain: this.#drain,
    };
  }

  /** The stream is gone. Returns what the worker may not have received, unless it got everything. */
  detach(stream: Stream, gotAll = false): readonly HeldRef[] {
    if (this.#stream !== stream) return [];
    this.#stream = null;
    return gotAll ? [] : this.held({ unacknowledged: true });
  }

  /** Ends the session. Returns what it held. */
  end(): readonly HeldRef[] {
    this.#stream?.close();
    this.#stream = null;
    return this.held();
  }

  protected get room(): number {
    return this.worker.slots - this.taken;
  }

  protected sendTask(token: string, task: HandedTask): void {
    if (this.#stream === null) this.#onUndelivered({ runId: task.runId, fence: task.fence });
    else this.#push({ type: "task", token, task });
  }

  protected sendCancel(token: string, reason: string): void {
    this.#push({ type: "cancel", token, reason });
  }

  protected freed(): void {
    this.offer();
  }

  /** A worker that does not read loses its stream, and with it the tasks that it has not read. */
  #push(message: WorkerMessage): void {
    if (this.#stream === null) return;
    if (this.#stream.unread > 2 * this.worker.slots + UNREAD) this.#stream.close();
    else this.#stream.push(message);
  }
}
