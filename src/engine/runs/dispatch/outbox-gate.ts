/**
 * Keeps messages from the outbox while it is full: tasks for topics and events wait then, and everything else goes on.
 * What enters before the backlog is measured again may exceed the limit.
 */

/** What the outbox holds. */
export interface OutboxBacklog {
  readonly messages: number;
  readonly bytes: number;
}

export class OutboxGate {
  readonly #opened: (() => void)[] = [];
  #backlog: OutboxBacklog = { messages: 0, bytes: 0 };
  #isFull = false;

  get isFull(): boolean {
    return this.#isFull;
  }

  /** As last measured. */
  get backlog(): OutboxBacklog {
    return this.#backlog;
  }

  /** Calls `listener` whenever there is room again. */
  onOpened(listener: () => void): void {
    this.#opened.push(listener);
  }

  set(backlog: OutboxBacklog, isFull: boolean): void {
    this.#backlog = backlog;
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    if (!isFull) for (const listener of this.#opened) listener();
  }
}
