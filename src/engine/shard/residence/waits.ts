/**
 * Callers that wait for the end of an entity. A wait is one object in a linked list: nearly every entity has no caller
 * or one, some have thousands, and 100,000 callers may wait at once for entities that are not in memory.
 */
import type { EntityTypes } from "../kind.ts";
import type { Resident } from "../resident.ts";
import type { Residence } from "./residence.ts";

/** An element of the list. `end` answers the caller and removes it. */
interface Wait<T extends EntityTypes> {
  previous: Wait<T> | null;
  next: Wait<T> | null;
  end(last: Resident<T> | null): void;
}

/** Everyone who waits for one entity. The list survives the eviction of the entity. */
export class Waits<T extends EntityTypes> {
  first: Wait<T> | null = null;
  size = 0;

  add(wait: Wait<T>): void {
    wait.next = this.first;
    if (this.first !== null) this.first.previous = wait;
    this.first = wait;
    this.size += 1;
  }

  remove({ previous, next }: Wait<T>): void {
    if (next !== null) next.previous = previous;
    if (previous === null) this.first = next;
    else previous.next = next;
    this.size -= 1;
  }

  /**
   * Answers all of them because the entity has ended or left this instance, with its last resident; null: the wait is
   * over and there is none.
   */
  wake(last: Resident<T> | null): void {
    while (this.first !== null) this.first.end(last);
  }
}

/** One caller. It references the entity by its id only, so that a waiting entity leaves memory regardless of it. */
export class WaitingCaller<T extends EntityTypes> implements Wait<T> {
  previous: Wait<T> | null = null;
  next: Wait<T> | null = null;
  readonly #residence: Residence<T>;
  readonly #id: string;
  readonly #waits: Waits<T>;
  readonly #resolve: (last: Resident<T> | null) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(
    residence: Residence<T>,
    { id, waits }: Resident<T>,
    resolve: (last: Resident<T> | null) => void,
    waitMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.#residence = residence;
    this.#id = id;
    this.#waits = waits;
    this.#resolve = resolve;
    this.#signal = signal;
    this.#timer = setTimeout(giveUp, waitMs, this);
    signal?.addEventListener("abort", this);
    waits.add(this);
  }

  end(last: Resident<T> | null): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this);
    this.#waits.remove(this);
    this.#residence.evicted.forget(this.#id, this.#waits);
    this.#resolve(last);
  }

  /** The caller has gone, or its time is up. */
  handleEvent(): void {
    this.end(this.#residence.get(this.#id) ?? null);
  }
}

function giveUp(caller: { handleEvent(): void }): void {
  caller.handleEvent();
}
