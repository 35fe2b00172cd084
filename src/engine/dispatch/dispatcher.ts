/**
 * Brings waiting tasks and free slots together, on one instance.
 *
 *   a task becomes ready   a slot is free and nothing waits before it → reserved in the same transition, else it waits
 *   a slot becomes free    the next waiting task that its worker can do → handed out
 */
import type { Log } from "../../base/log.ts";
import type { HandOvers, ReadyTask, Slot, Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { Lifecycle } from "../shard/lifecycle.ts";
import type { Session } from "./session.ts";
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
  readonly #sessions = new Map<string, Set<Session>>();
  /** Sessions whose slots are being filled. */
  readonly #filling = new Set<Session>();
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
    const session = this.#freest(task);
    if (session !== null) this.fill(session);
  }

  look(): void {
    this.#waiting.forget();
    for (const sessions of this.#sessions.values()) for (const session of sessions) this.fill(session);
  }

  add(session: Session): void {
    for (const key of session.lines.map(keyOf)) {
      const sessions = this.#sessions.get(key);
      if (sessions === undefined) this.#sessions.set(key, new Set([session]));
      else sessions.add(session);
    }
  }

  remove(session: Session): void {
    for (const key of session.lines.map(keyOf)) {
      const sessions = this.#sessions.get(key);
      if (sessions?.delete(session) === true && sessions.size === 0) this.#sessions.delete(key);
    }
  }

  /** Fills the free slots of a session with what waits. */
  fill(session: Session): void {
    if (this.#filling.has(session) || session.free === 0) return;
    this.#filling.add(session);
    void this.#fill(session)
      .catch((error: unknown) => this.#log.warn("waiting tasks could not be handed out", { error }))
      .finally(() => this.#filling.delete(session));
  }

  async #fill(session: Session): Promise<void> {
    const { lines } = session;
    while (session.free > 0 && !this.#lifecycle.draining) {
      const low = lines.filter((line) => this.#waiting.isLow(line));
      if (low.length > 0) await Promise.all(low.map((line) => this.#waiting.fill(line)));
      const task = session.free > 0 ? this.#waiting.take(lines) : null;
      if (task === null) return;
      this.#handOver(task, session.reserve());
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

  /** The session with the most free slots among those that can do the task. */
  #freest(task: ReadyTask): Session | null {
    let freest: Session | null = null;
    for (const session of this.#sessions.get(keyOf(task)) ?? [])
      if (session.free > (freest?.free ?? 0)) freest = session;
    return freest;
  }
}
