/**
 * Brings waiting tasks and free slots together, on one instance.
 *
 *   a task becomes ready   a slot is free and nothing waits before it → reserved in the same transition, else it waits
 *   a slot becomes free    the next waiting task that its worker can do → handed out
 */
import type { Log } from "../../base/log.ts";
import type { HandOvers, ReadyTask, Slot, Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { Lifecycle } from "../shard/lifecycle.ts";
import type { Taker } from "./taker.ts";
import { keyOf, WaitingTasks } from "./waiting-tasks.ts";

/** What the dispatcher takes. */
export interface DispatcherParts {
  readonly store: WaitingTaskStore;
  readonly shards: { readonly owned: readonly number[] };
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Matches tasks and workers. */
export class Dispatcher implements Takers {
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #waiting: WaitingTasks;
  /** By the key of each line that they serve. */
  readonly #takers = new Map<string, Set<Taker>>();
  /** Takers whose slots are being filled. */
  readonly #filling = new Set<Taker>();
  #handOvers: HandOvers | null = null;

  constructor({ store, shards, lifecycle, log }: DispatcherParts) {
    this.#lifecycle = lifecycle;
    this.#log = log;
    this.#waiting = new WaitingTasks(store, shards);
  }

  /** Tasks are handed out from now on. */
  start(handOvers: HandOvers): void {
    this.#handOvers = handOvers;
  }

  reserve(task: ReadyTask): Slot | null {
    if (this.#lifecycle.draining || this.#waiting.hasBefore(task)) return null;
    return this.#freest(task)?.reserve() ?? null;
  }

  waits(task: ReadyTask): void {
    this.#waiting.add(task);
    const taker = this.#freest(task);
    if (taker !== null) this.fill(taker);
  }

  look(): void {
    this.#waiting.forget();
    for (const takers of this.#takers.values()) for (const taker of takers) this.fill(taker);
  }

  add(taker: Taker): void {
    for (const key of taker.lines.map(keyOf)) {
      const takers = this.#takers.get(key);
      if (takers === undefined) this.#takers.set(key, new Set([taker]));
      else takers.add(taker);
    }
  }

  remove(taker: Taker): void {
    for (const key of taker.lines.map(keyOf)) {
      const takers = this.#takers.get(key);
      if (takers?.delete(taker) === true && takers.size === 0) this.#takers.delete(key);
    }
  }

  /** Fills the free slots of a taker with what waits. */
  fill(taker: Taker): void {
    if (this.#filling.has(taker) || taker.free === 0) return;
    this.#filling.add(taker);
    void this.#fill(taker)
      .catch((error: unknown) => this.#log.warn("waiting tasks could not be handed out", { error }))
      .finally(() => this.#filling.delete(taker));
  }

  async #fill(taker: Taker): Promise<void> {
    const { lines } = taker;
    while (taker.free > 0 && !this.#lifecycle.draining) {
      const low = lines.filter((line) => this.#waiting.isLow(line));
      if (low.length > 0) await Promise.all(low.map((line) => this.#waiting.fill(line)));
      const task = taker.free > 0 ? this.#waiting.take(lines) : null;
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

  /** The taker with the most free slots among those that can do the task. */
  #freest(task: ReadyTask): Taker | null {
    let freest: Taker | null = null;
    for (const taker of this.#takers.get(keyOf(task)) ?? []) if (taker.free > (freest?.free ?? 0)) freest = taker;
    return freest;
  }
}
