/** One that takes tasks: its slots, and what it holds. */
import type { HandedTask, HandOverRef, Slot } from "../ports/dispatch/hand-overs.ts";
import type { Holding } from "../ports/dispatch/workers.ts";
import type { Skills } from "./skills.ts";

/** How long a worker that handed a task back gets no other, milliseconds: it would get the same one again. */
const PAUSE_MS = 1_000;

/** How long a worker gets no task after the second one in a row that it did not acknowledge; doubled each time. */
const SILENCE_MS = 5_000;
const LONGEST_SILENCE_MS = 60_000;

/** Seals hand-overs of a tenant. */
export type Seal = (tenantId: string, ref: HandOverRef) => string;

/** A hand-over to a taker. */
export interface HeldRef extends HandOverRef {
  /** The worker has not acknowledged the task, as far as is known here. */
  readonly isUnacknowledged: boolean;
}

/** What a taker is made of. */
export interface TakerParts {
  readonly id: string;
  readonly tenantId: string;
  readonly seal: Seal;
  /** Called when the taker can take tasks again. */
  readonly onFree: (taker: Taker) => void;
}

/**
 * What takes tasks from the dispatcher: a worker that is connected here, or what another instance has lent of one that
 * is connected there.
 */
export abstract class Taker {
  readonly id: string;
  readonly tenantId: string;
  /** It did not acknowledge a task in time. It gets no other until the worker makes a call. */
  isUnresponsive = false;
  /**
   * How often in a row that happened. Calls do not show that tasks reach the worker, so until it acknowledges one, it
   * gets one at a time, at longer and longer intervals, and only those that no other worker is free for.
   */
  #missed = 0;
  #silentUntil = 0;
  readonly #seal: Seal;
  readonly #onFree: (taker: Taker) => void;
  readonly #taken = new Set<TakenSlot>();
  readonly #held = new Map<string, TakenSlot>();
  /** Tasks whose end is being recorded. */
  readonly #ending = new Set<string>();
  #unsent = 0;
  #isPaused = false;

  constructor({ id, tenantId, seal, onFree }: TakerParts) {
    this.id = id;
    this.tenantId = tenantId;
    this.#seal = seal;
    this.#onFree = onFree;
  }

  /** What it can do. */
  abstract readonly skills: Skills;

  /** Its worker is connected to this instance. */
  abstract readonly isHere: boolean;

  /** Free slots, whether or not it is ready. */
  protected abstract get room(): number;

  protected abstract sendTask(token: string, task: HandedTask): void;

  protected abstract sendCancel(token: string, reason: string): void;

  /** A slot is free again. `byHolder`: the holder reported the end itself. */
  protected abstract freed(slot: TakenSlot, byHolder: boolean): void;

  /** Only the number of its slots limits what it takes. */
  get isReady(): boolean {
    return !this.isUnresponsive && !this.#isPaused;
  }

  /** How many more tasks it can take now. */
  get free(): number {
    if (!this.isReady) return 0;
    return Math.max(0, this.isDoubtful ? Math.min(this.room, 1 - this.#unacknowledged()) : this.room);
  }

  /** Whether it did not acknowledge the last task that it got. */
  get isDoubtful(): boolean {
    return this.#missed > 0;
  }

  /** Slots in use. */
  get taken(): number {
    return this.#taken.size;
  }

  /** Slots that are reserved for tasks on their way. */
  get unsent(): number {
    return this.#unsent;
  }

  /** Takes a slot for a new hand-over. */
  reserve(): TakenSlot {
    const slot = new TakenSlot(this);
    this.#taken.add(slot);
    this.#unsent += 1;
    return slot;
  }

  /**
   * The slot of a task that it holds, including one handed out by another instance. Null while the end of the task is
   * being recorded: a late heartbeat must not occupy a slot.
   */
  slotOf(ref: HandOverRef, token: string): TakenSlot | null {
    const known = this.#held.get(token);
    if (known !== undefined) return known;
    if (this.#ending.has(token)) return null;
    const slot = new TakenSlot(this);
    slot.isUnacknowledged = false;
    this.#taken.add(slot);
    this.#hold(slot, ref, token);
    return slot;
  }

  /** The worker handed a task back. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    setTimeout(() => {
      this.#isPaused = false;
      this.offer();
    }, PAUSE_MS).unref();
  }

  /** The worker made a call. */
  markSeen(): void {
    if (!this.isUnresponsive || performance.now() < this.#silentUntil) return;
    this.isUnresponsive = false;
    this.offer();
  }

  /** The worker reported on the task. */
  markAcknowledged(token: string): void {
    const slot = this.#held.get(token);
    if (slot === undefined || !slot.isUnacknowledged) return;
    slot.isUnacknowledged = false;
    if (!this.isDoubtful) return;
    this.#missed = 0;
    this.offer();
  }

  /** The hand-over of a task that it holds; null if it holds no such task. */
  refOf(token: string): HandOverRef | null {
    return this.#held.get(token)?.ref ?? null;
  }

  /** The worker has finished a task. */
  done(token: string): void {
    const slot = this.#held.get(token);
    if (slot !== undefined) this.#free(slot, true);
  }

  /** Runs `work`, which records the end of these tasks. */
  async ending<T>(tokens: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const token of tokens) this.#ending.add(token);
    try {
      return await work();
    } finally {
      for (const token of tokens) this.#ending.delete(token);
    }
  }

  /** The worker has finished a task. Reserves its slot again at once. */
  renew(token: string): TakenSlot | null {
    const slot = this.#held.get(token);
    if (slot === undefined) return null;
    this.#held.delete(token);
    this.#taken.delete(slot);
    return this.reserve();
  }

  /** The worker is out of reach. */
  lose(): void {
    const now = performance.now();
    for (const slot of this.#taken) slot.lostAt ??= now;
  }

  /** What it holds; with `unacknowledged`, only what the worker has not acknowledged. */
  held({ unacknowledged = false } = {}): readonly HeldRef[] {
    return [...this.#held.values()].flatMap(({ ref, isUnacknowledged }) =>
      ref !== null && (isUnacknowledged || !unacknowledged) ? [{ ...ref, isUnacknowledged }] : [],
    );
  }

  /** What it holds, in order of hand-over, for display. */
  get holdings(): readonly Holding[] {
    return [...this.#held.values()].flatMap(({ ref, path, since, isUnacknowledged }) =>
      ref === null ? [] : [{ runId: ref.runId, path, since, acknowledged: !isUnacknowledged }],
    );
  }

  /** Sends a task. `token` is given if another instance has sealed it. */
  send(slot: TakenSlot, task: HandedTask, token?: string): void {
    const ref = { runId: task.runId, fence: task.fence };
    const sealed = token ?? this.#seal(this.tenantId, ref);
    this.#unsent -= 1;
    slot.path = task.path;
    this.#hold(slot, ref, sealed);
    this.sendTask(sealed, task);
  }

  /** Cancels a task that it holds. */
  cancelHeld(token: string, reason: string): void {
    const slot = this.#held.get(token);
    if (slot !== undefined) this.cancel(slot, reason);
  }

  cancel({ token, isUnacknowledged, isLent }: TakenSlot, reason: string): void {
    if (isUnacknowledged && isLent) this.isUnresponsive = true;
    else if (isUnacknowledged) this.#doubt();
    this.sendCancel(token, reason);
  }

  release(slot: TakenSlot): void {
    this.#free(slot, false);
  }

  /** Offers its free slots. */
  protected offer(): void {
    this.#onFree(this);
  }

  #doubt(): void {
    // Tasks that are lost together count once.
    if (this.isUnresponsive) return;
    this.isUnresponsive = true;
    this.#missed += 1;
    const silenceMs = this.#missed === 1 ? 0 : Math.min(SILENCE_MS * 2 ** (this.#missed - 2), LONGEST_SILENCE_MS);
    this.#silentUntil = performance.now() + silenceMs;
  }

  #unacknowledged(): number {
    let count = 0;
    for (const { isUnacknowledged, isLent } of this.#taken) if (isUnacknowledged && !isLent) count += 1;
    return count;
  }

  #hold(slot: TakenSlot, ref: HandOverRef, token: string): void {
    slot.ref = ref;
    slot.token = token;
    this.#held.set(token, slot);
  }

  #free(slot: TakenSlot, byHolder: boolean): void {
    if (!this.#taken.delete(slot)) return;
    if (slot.ref === null) this.#unsent -= 1;
    else if (this.#held.get(slot.token) === slot) this.#held.delete(slot.token);
    this.freed(slot, byHolder);
  }
}

/** A slot of a taker. */
export class TakenSlot implements Slot {
  ref: HandOverRef | null = null;
  token = "";
  /** Path of its task; empty if another instance handed it out. */
  path = "";
  /** Milliseconds since the epoch. */
  readonly since = Date.now();
  /** The worker has not acknowledged the task. */
  isUnacknowledged = true;
  /** Another instance hands out its task, and may be the only one that receives the acknowledgement. */
  isLent = false;
  lostAt: number | null = null;
  readonly #taker: Taker;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  get to(): string {
    return this.#taker.id;
  }

  send(task: HandedTask): void {
    this.#taker.send(this, task);
  }

  cancel(reason: string): void {
    this.#taker.cancel(this, reason);
  }

  release(): void {
    this.#taker.release(this);
  }
}
