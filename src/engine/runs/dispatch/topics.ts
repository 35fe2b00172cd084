/**
 * Puts tasks on topics, and events where they go. A topic takes every task at once: the hand-over writes a message to
 * the outbox in the same commit, and the relay sends it. Tasks wait, as rows, while their run is held or the outbox is
 * full.
 */
import type { Log } from "../../../base/log.ts";
import { markOf, nameOf } from "../../../tasks/addresses.ts";
import type { HandOvers, ReadyTask, Slot, Takers, WaitingTaskStore } from "../../ports/dispatch/hand-overs.ts";
import { retryUntil } from "../../shard/retry-until.ts";
import type { OutboxCarrier, OutboxGate } from "./outbox-gate.ts";

/** Waiting tasks of a page. */
const PAGE = 500;

export interface TopicsParts {
  readonly store: Pick<WaitingTaskStore, "listCarried">;
  readonly shards: { readonly owned: readonly number[] };
  readonly lifecycle: { readonly stopping: boolean };
  readonly carrier: OutboxCarrier;
  readonly outboxGate: OutboxGate;
  readonly log: Log;
}

/** Takes the tasks of a carrier whose messages are relayed from the outbox. */
export class Topics implements Takers {
  readonly #parts: TopicsParts;
  readonly #slots = new Map<string, Slot>();
  #handOvers: HandOvers | null = null;

  constructor(parts: TopicsParts) {
    this.#parts = parts;
  }

  /** Puts tasks on topics from now on. */
  start(handOvers: HandOvers): void {
    this.#handOvers = handOvers;
    this.#parts.outboxGate.onOpened(() => this.look());
  }

  get isOpen(): boolean {
    return !this.#parts.outboxGate.isFull;
  }

  isOpenFor(place: string): boolean {
    return !this.#parts.outboxGate.isFullFor(place);
  }

  /** Topics keep what they get until somebody reads it. */
  isServed(): boolean {
    return true;
  }

  reserve({ queue }: ReadyTask): Slot | null {
    return this.isOpenFor(nameOf(queue)) ? this.#slotOf(queue) : null;
  }

  #slotOf(queue: string): Slot {
    const known = this.#slots.get(queue);
    if (known !== undefined) return known;
    // The commit has put the message into the outbox, and a topic has no slots: there is nothing else to do.
    const slot: Slot = { to: queue, lostAt: null, send: () => {}, cancel: () => {}, release: () => {} };
    this.#slots.set(queue, slot);
    return slot;
  }

  waits(task: ReadyTask): void {
    if (this.isOpenFor(nameOf(task.queue))) void this.#put(task);
  }

  async #put(task: ReadyTask): Promise<void> {
    const { log } = this.#parts;
    const { runId, path } = task;
    try {
      await this.#handOvers?.handOver(task, this.#slotOf(task.queue));
    } catch (error) {
      log.warn("a task could not be put on its topic", { runId, task: path, error });
    }
  }

  look(): void {
    const { log } = this.#parts;
    this.#putAll().catch((error: unknown) => log.warn("waiting tasks could not be put on their topics", { error }));
  }

  async #putAll(): Promise<void> {
    const { store, carrier, shards, lifecycle, log } = this.#parts;
    for (let after: ReadyTask | null = null; ; ) {
      const page: readonly ReadyTask[] = await retryUntil(
        log,
        () => store.listCarried(markOf(carrier), shards.owned, after, PAGE),
        () => lifecycle.stopping,
      );
      const open = page.filter(({ queue }) => this.isOpenFor(nameOf(queue)));
      await Promise.all(open.map((task) => this.#put(task)));
      const last = page[page.length - 1];
      if (last === undefined || page.length < PAGE) return;
      after = last;
    }
  }
}
