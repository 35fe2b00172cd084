/**
 * Brings the waiting tasks of this instance and free slots together.
 *
 *   a task becomes ready   a slot is free and nothing waits before it → reserved in the same transition, else it waits
 *   a slot becomes free    the next waiting task that its worker can do → handed out; or it is lent to another instance,
 *                          where something waits that goes before
 */
import type { Log } from "../../base/log.ts";
import type { HandOvers, Line, ReadyTask, Slot, Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { Want } from "../ports/dispatch/peers.ts";
import type { Lifecycle } from "../shard/lifecycle.ts";
import { Session } from "./session.ts";
import type { Taker } from "./taker.ts";
import { keyOf, WaitingTasks } from "./waiting-tasks.ts";

/** Other instances: they take slots, and have some. */
export interface Neighbours {
  /** Lends a free slot where something waits that goes before `head`. False: there is nothing. */
  lend(session: Session, head: ReadyTask | null): boolean;
  /** What waits here in a line has changed, and nobody here takes it. */
  waits(line: Line): void;
  /** A slot is wanted by another instance. */
  wantedBy(line: Line, wanter: unknown): void;
  /** The lines that workers here serve have changed. */
  servedChanged(): void;
  /** The store may have waiting tasks that this instance has not seen. */
  shardsChanged(): void;
}

/** What the dispatcher takes. */
export interface DispatcherParts {
  readonly store: WaitingTaskStore;
  readonly shards: { readonly owned: readonly number[] };
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Matches tasks and workers. */
export class Dispatcher implements Takers {
  /** Lines that workers here serve. */
  readonly served = new Map<string, Line>();
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #waiting: WaitingTasks;
  /** By the key of each line that they serve. */
  readonly #takers = new Map<string, Set<Taker>>();
  /** Takers whose slots are being filled; true: they have more free slots since. */
  readonly #filling = new Map<Taker, boolean>();
  #handOvers: HandOvers | null = null;
  #neighbours: Neighbours | null = null;

  constructor({ store, shards, lifecycle, log }: DispatcherParts) {
    this.#lifecycle = lifecycle;
    this.#log = log;
    this.#waiting = new WaitingTasks(store, shards);
  }

  /** Tasks are handed out from now on. */
  start(handOvers: HandOvers, neighbours: Neighbours): void {
    this.#handOvers = handOvers;
    this.#neighbours = neighbours;
  }

  reserve(task: ReadyTask): Slot | null {
    if (this.#lifecycle.draining || this.#waiting.hasBefore(task)) return null;
    return this.#freest(task)?.reserve() ?? null;
  }

  waits(task: ReadyTask): void {
    this.#waiting.add(task);
    const taker = this.#freest(task);
    if (taker !== null) this.fill(taker);
    else this.#neighbours?.waits(task);
  }

  look(): void {
    this.#waiting.forget();
    for (const takers of this.#takers.values()) for (const taker of takers) this.fill(taker);
    this.#neighbours?.shardsChanged();
  }

  /** What waits in a line. */
  wantOf(line: Line): Want {
    const { tenantId, queue, handler } = line;
    const head = this.#lifecycle.draining ? null : this.#waiting.peek([line]);
    if (head === null) return { tenantId, queue, handler, count: 0, priority: 0, since: 0 };
    const { priority, since } = head;
    return { tenantId, queue, handler, count: this.#waiting.countOf(line), priority, since };
  }

  /** What goes first in these lines. */
  headOf(lines: readonly Line[]): ReadyTask | null {
    return this.#lifecycle.draining ? null : this.#waiting.peek(lines);
  }

  /** Reads what waits in a line that workers at another instance serve. */
  async learn(line: Line): Promise<void> {
    try {
      if (this.#waiting.isLow(line)) await this.#waiting.fill(line);
      this.#neighbours?.waits(line);
    } catch (error) {
      // Looked at again with the next task that waits in the line, and when the other instance says so again.
      this.#log.warn("waiting tasks could not be read", { queue: line.queue, handler: line.handler, error });
    }
  }

  /** Something waits at another instance. */
  wantedElsewhere(line: Line, wanter: unknown): void {
    let isFree = false;
    for (const taker of this.#takers.get(keyOf(line)) ?? []) {
      isFree ||= taker.isHere && taker.free > 0;
      this.fill(taker);
    }
    if (!isFree) this.#neighbours?.wantedBy(line, wanter);
  }

  add(taker: Taker): void {
    let isNew = false;
    for (const line of taker.lines) {
      const key = keyOf(line);
      const takers = this.#takers.get(key) ?? new Set();
      this.#takers.set(key, takers.add(taker));
      if (!taker.isHere || this.served.has(key)) continue;
      this.served.set(key, line);
      isNew = true;
    }
    if (isNew) this.#neighbours?.servedChanged();
  }

  remove(taker: Taker): void {
    let isOver = false;
    for (const line of taker.lines) {
      const key = keyOf(line);
      const takers = this.#takers.get(key);
      takers?.delete(taker);
      if (takers?.size === 0) this.#takers.delete(key);
      if (!taker.isHere || hasOneHere(takers)) continue;
      this.served.delete(key);
      isOver = true;
    }
    if (isOver) this.#neighbours?.servedChanged();
  }

  /** Fills the free slots of a taker with what waits. */
  fill(taker: Taker): void {
    if (taker.free === 0) return;
    if (this.#filling.has(taker)) {
      this.#filling.set(taker, true);
      return;
    }
    this.#filling.set(taker, false);
    void this.#fill(taker)
      .catch((error: unknown) => this.#log.warn("waiting tasks could not be handed out", { error }))
      .finally(() => {
        const again = this.#filling.get(taker) === true;
        this.#filling.delete(taker);
        if (again) this.fill(taker);
      });
  }

  async #fill(taker: Taker): Promise<void> {
    const { lines } = taker;
    while (taker.free > 0 && !this.#lifecycle.draining) {
      const low = lines.filter((line) => this.#waiting.isLow(line));
      if (low.length > 0) await Promise.all(low.map((line) => this.#waiting.fill(line)));
      if (taker.free === 0) return;
      const head = this.#waiting.peek(lines);
      if (taker instanceof Session && this.#neighbours?.lend(taker, head) === true) continue;
      const task = this.#waiting.take(lines);
      if (task === null) return;
      this.#handOver(task, taker.reserve());
    }
  }

  #handOver(task: ReadyTask, slot: Slot): void {
    const { runId, path } = task;
    const handing = this.#handOvers?.handOver(task, slot) ?? Promise.resolve(false);
    handing.then(
      (taken) => {
        if (!taken) slot.release();
      },
      (error: unknown) => {
        slot.release();
        this.#log.warn("a waiting task could not be handed out", { runId, task: path, error });
      },
    );
  }

  /** The taker with the most free slots among those that can do the task; a worker here goes before one elsewhere. */
  #freest(task: ReadyTask): Taker | null {
    let freest: Taker | null = null;
    for (const taker of this.#takers.get(keyOf(task)) ?? []) {
      if (taker.free === 0) continue;
      if (freest === null || (taker.isHere === freest.isHere ? taker.free > freest.free : taker.isHere)) freest = taker;
    }
    return freest;
  }
}

function hasOneHere(takers: ReadonlySet<Taker> = new Set()): boolean {
  for (const { isHere } of takers) if (isHere) return true;
  return false;
}
