/**
 * Closes the outbox while it is full. Tasks for topics and events wait then, and everything else goes on. The backlog
 * may exceed the limit by what enters between two measurements. Each destination has a gate; where its places have
 * limits of their own (endpoints of webhooks), one that is full holds up no other.
 */
import type { Carrier } from "../../../tasks/define.ts";

/** Carriers whose tasks leave by the outbox. */
export const OUTBOX_CARRIERS = ["topics", "webhooks", "streams"] as const satisfies readonly Carrier[];

/** One of {@link OUTBOX_CARRIERS}. */
export type OutboxCarrier = (typeof OUTBOX_CARRIERS)[number];

/**
 * The gates of a service, for the carriers that it relays to. Answers of executions belong to commits and cannot wait:
 * their gate holds up nothing, and shows what waits.
 */
export type OutboxGates = Readonly<Partial<Record<OutboxCarrier | "answers", OutboxGate>>>;

/** What the outbox holds. */
export interface OutboxBacklog {
  readonly messages: number;
  readonly bytes: number;
}

const NONE: OutboxBacklog = { messages: 0, bytes: 0 };

/** The gate of all places of a destination that has one limit. */
export const ALL_PLACES = "";

export class OutboxGate {
  readonly #opened: (() => void)[] = [];
  readonly #backlogs = new Map<string, OutboxBacklog>();
  readonly #full = new Set<string>();

  /** Whether something waits: some place is full. */
  get isFull(): boolean {
    return this.#full.size > 0;
  }

  /** Whether what is for `place` waits. */
  isFullFor(place: string): boolean {
    return this.#full.size > 0 && (this.#full.has(ALL_PLACES) || this.#full.has(place));
  }

  /** As last measured, by place. */
  get backlogs(): ReadonlyMap<string, OutboxBacklog> {
    return this.#backlogs;
  }

  /** Calls `listener` whenever there is room again. */
  onOpened(listener: () => void): void {
    this.#opened.push(listener);
  }

  /** The gate of one place. */
  of(place: string): { readonly isFull: boolean; set(backlog: OutboxBacklog, isFull: boolean): void } {
    const [full, set] = [this.#full, this.set.bind(this)];
    this.#backlogs.set(place, NONE);
    return {
      get isFull() {
        return full.has(place);
      },
      set: (backlog, isFull) => set(backlog, isFull, place),
    };
  }

  set(backlog: OutboxBacklog, isFull: boolean, place = ALL_PLACES): void {
    this.#backlogs.set(place, backlog);
    if (this.#full.has(place) === isFull) return;
    if (isFull) this.#full.add(place);
    else this.#full.delete(place);
    if (!isFull) for (const listener of this.#opened) listener();
  }
}
