/** One that takes tasks: its slots, and what it holds. */
import type { HandedTask, HandOverRef, Slot } from "../ports/dispatch/hand-overs.ts";
import type { Holding } from "../ports/dispatch/workers.ts";
import type { Skills } from "./skills.ts";

/** One that handed a task back gets none for this long, milliseconds: it would get the same one again. */
const REST_MS = 1_000;

/** Seals hand-overs of a tenant. */
export type Seal = (tenantId: string, ref: HandOverRef) => string;

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
  /** A task was not acknowledged in time: it gets no other until it is heard of. */
  isDeaf = false;
  readonly #seal: Seal;
  readonly #onFree: (taker: Taker) => void;
  readonly #taken = new Set<TakenSlot>();
  readonly #held = new Map<string, TakenSlot>();
  /** Tasks whose end is being recorded. */
  readonly #ending = new Set<string>();
  #unsent = 0;
  #resting = false;

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

  /** How many more tasks it could take, if nothing kept it from it. */
  protected abstract get room(): number;

  protected abstract sendTask(token: string, task: HandedTask): void;

  protected abstract sendCancel(token: string, reason: string): void;

  /** A slot is free again. `told`: the holder said so itself. */
  protected abstract freed(slot: TakenSlot, told: boolean): void;

  /** Nothing keeps it from taking tasks but the number of its slots. */
  get isReady(): boolean {
    return !this.isDeaf && !this.#resting;
  }

  /** How many more tasks it can take now. */
  get free(): number {
    return this.isReady ? Math.max(0, this.room) : 0;
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
   * The slot in which it does a task, also one that somebody else handed it. Null while its end is being recorded: a
   * sign of life that comes late takes no slot.
   */
  slotOf(ref: HandOverRef, token: string): TakenSlot | null {
    const known = this.#held.get(token);
    if (known !== undefined) return known;
    if (this.#ending.has(token)) return null;
    const slot = new TakenSlot(this);
    this.#taken.add(slot);
    this.#hold(slot, ref, token);
    return slot;
  }

  /** The worker cannot do what it was handed. */
  rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    setTimeout(() => {
      this.#resting = false;
      this.offer();
    }, REST_MS).unref();
  }

  /** The worker is heard of. */
  hear(): void {
    if (!this.isDeaf) return;
    this.isDeaf = false;
    this.offer();
  }

  /** The worker has said something about the task. */
  heardOf(token: string): void {
    const slot = this.#held.get(token);
    if (slot !== undefined) slot.isSilent = false;
  }

  /** The hand-over behind a token of a task that it holds; null: it holds no such task. */
  refOf(token: string): HandOverRef | null {
    return this.#held.get(token)?.ref ?? null;
  }

  /** The worker has ended its work on a task. */
  done(token: string): void {
    const slot = this.#held.get(token);
    if (slot !== undefined) this.#free(slot, true);
  }

  /** The end of these tasks is recorded by `work`. */
  async ending<T>(tokens: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const token of tokens) this.#ending.add(token);
    try {
      return await work();
    } finally {
      for (const token of tokens) this.#ending.delete(token);
    }
  }

  /** The worker has ended its work on a task, and its slot goes on to something else at once. */
  renew(token: string): TakenSlot | null {
    const slot = this.#held.get(token);
    if (slot === undefined) return null;
    this.#held.delete(token);
    this.#taken.delete(slot);
    return this.reserve();
  }

  /** Its worker cannot be reached any more. */
  lose(): void {
    const now = performance.now();
    for (const slot of this.#taken) slot.lostAt ??= now;
  }

  /** What it holds; only that of which nothing was heard when `silent`. */
  held({ silent = false } = {}): readonly HandOverRef[] {
    return [...this.#held.values()].flatMap(({ ref, isSilent }) =>
      ref !== null && (isSilent || !silent) ? [ref] : [],
    );
  }

  /** What it holds, for those who look on, in the order in which it got it. */
  get holdings(): readonly Holding[] {
    return [...this.#held.values()].flatMap(({ ref, path, since, isSilent }) =>
      ref === null ? [] : [{ runId: ref.runId, path, since, acknowledged: !isSilent }],
    );
  }

  /** Sends a task. `token` is the one that another instance has sealed. */
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

  cancel({ token, isSilent }: TakenSlot, reason: string): void {
    if (isSilent) this.isDeaf = true;
    this.sendCancel(token, reason);
  }

  release(slot: TakenSlot): void {
    this.#free(slot, false);
  }

  /** Asks for tasks. */
  protected offer(): void {
    this.#onFree(this);
  }

  #hold(slot: TakenSlot, ref: HandOverRef, token: string): void {
    slot.ref = ref;
    slot.token = token;
    this.#held.set(token, slot);
  }

  #free(slot: TakenSlot, told: boolean): void {
    if (!this.#taken.delete(slot)) return;
    if (slot.ref === null) this.#unsent -= 1;
    else if (this.#held.get(slot.token) === slot) this.#held.delete(slot.token);
    this.freed(slot, told);
  }
}

/** A slot of a taker. */
export class TakenSlot implements Slot {
  ref: HandOverRef | null = null;
  token = "";
  /** Of its task; empty when somebody else handed it out. */
  path = "";
  /** Milliseconds since the epoch. */
  readonly since = Date.now();
  /** Nothing was heard of the task. */
  isSilent = true;
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
