/**
 * The session of a worker: its slots, what it holds, and the messages that wait for its stream.
 *
 *   registered → stream attached ⇄ stream lost → ended, {@link Session.end}, when nothing was heard of it for too long
 *
 * Without a stream it gets no tasks, and keeps what it has acknowledged.
 */
import type { HandedTask, HandOverRef, Line, Slot } from "../ports/dispatch/hand-overs.ts";
import type { WorkerInfo, WorkerMessage } from "../ports/dispatch/workers.ts";

/** A worker that handed a task back gets none for this long, milliseconds: it would get the same one again. */
const REST_MS = 1_000;

/** Seals hand-overs. */
export type Seal = (ref: HandOverRef) => string;

/** Where the messages for a session go. */
export interface Stream {
  push(message: WorkerMessage): void;
  /** Another stream took over, or the session ended. */
  close(): void;
}

/** A worker that is connected to this instance. */
export class Session {
  readonly id: string;
  readonly tenantId: string;
  readonly worker: WorkerInfo;
  /** What it can do. */
  readonly lines: readonly Line[];
  /** `performance.now()` of the last call that named the session. */
  heardAt = performance.now();
  /** A task was not acknowledged in time: it gets no other until it is heard of. */
  isDeaf = false;
  readonly #seal: Seal;
  readonly #onFree: (session: Session) => void;
  readonly #taken = new Set<WorkerSlot>();
  readonly #held = new Map<string, WorkerSlot>();
  #stream: Stream | null = null;
  #resting = false;
  #ended = false;

  constructor(id: string, tenantId: string, worker: WorkerInfo, seal: Seal, onFree: (session: Session) => void) {
    this.id = id;
    this.tenantId = tenantId;
    this.worker = worker;
    this.lines = worker.queues.flatMap((queue) => worker.handlers.map((handler) => ({ tenantId, queue, handler })));
    this.#seal = seal;
    this.#onFree = onFree;
  }

  /** How many more tasks it can take now. */
  get free(): number {
    if (this.#stream === null || this.isDeaf || this.#resting || this.#ended) return 0;
    return Math.max(0, this.worker.slots - this.#taken.size);
  }

  /** The worker cannot do what it was handed. */
  rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    setTimeout(() => {
      this.#resting = false;
      this.#onFree(this);
    }, REST_MS).unref();
  }

  /** Takes a slot for a new hand-over. */
  reserve(): Slot {
    const slot = new WorkerSlot(this);
    this.#taken.add(slot);
    return slot;
  }

  /** The slot in which it does a task that somebody else handed it. */
  slotOf(ref: HandOverRef, token: string): Slot {
    const known = this.#held.get(token);
    if (known !== undefined) return known;
    const slot = new WorkerSlot(this);
    this.#taken.add(slot);
    this.hold(slot, ref, token);
    return slot;
  }

  /** The session is heard of. */
  hear(): void {
    this.heardAt = performance.now();
    if (!this.isDeaf) return;
    this.isDeaf = false;
    this.#onFree(this);
  }

  /** The hand-over behind a token of a task that it holds; null: it holds no such task. */
  refOf(token: string): HandOverRef | null {
    return this.#held.get(token)?.ref ?? null;
  }

  /** The worker has ended its work on a task. */
  done(token: string): void {
    this.#held.get(token)?.release();
  }

  attach(stream: Stream): void {
    this.#stream?.close();
    this.#stream = stream;
    this.#onFree(this);
  }

  /** The stream is gone. Returns what the worker may not have received. */
  detach(stream: Stream): readonly HandOverRef[] {
    if (this.#stream !== stream) return [];
    this.#stream = null;
    return [...this.#held.values()].flatMap(({ ref, isSilent }) => (ref !== null && isSilent ? [ref] : []));
  }

  /** Ends the session. Returns what it held. */
  end(): readonly HandOverRef[] {
    this.#ended = true;
    this.#stream?.close();
    this.#stream = null;
    return [...this.#held.values()].flatMap(({ ref }) => (ref === null ? [] : [ref]));
  }

  /** The worker has said something about the task. */
  heardOf(token: string): void {
    const slot = this.#held.get(token);
    if (slot !== undefined) slot.isSilent = false;
  }

  hold(slot: WorkerSlot, ref: HandOverRef, token: string): void {
    slot.ref = ref;
    slot.token = token;
    this.#held.set(token, slot);
  }

  send(task: HandedTask, slot: WorkerSlot): void {
    const ref = { runId: task.runId, fence: task.fence };
    const token = this.#seal(ref);
    this.hold(slot, ref, token);
    this.#stream?.push({ type: "task", token, task });
  }

  cancel({ token, isSilent }: WorkerSlot, reason: string): void {
    if (isSilent) this.isDeaf = true;
    this.#stream?.push({ type: "cancel", token, reason });
  }

  release(slot: WorkerSlot): void {
    if (!this.#taken.delete(slot)) return;
    if (this.#held.get(slot.token) === slot) this.#held.delete(slot.token);
    this.#onFree(this);
  }
}

/** A slot of a worker. */
class WorkerSlot implements Slot {
  ref: HandOverRef | null = null;
  token = "";
  /** Nothing was heard of the task. */
  isSilent = true;
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  get to(): string {
    return this.#session.id;
  }

  send(task: HandedTask): void {
    this.#session.send(task, this);
  }

  cancel(reason: string): void {
    this.#session.cancel(this, reason);
  }

  release(): void {
    this.#session.release(this);
  }
}
