/**
 * The settings of all queues, in memory, as the store had them a moment ago.
 *
 *   opening → read ──announced──→ reading → read …
 *
 * Settings that cannot be read stay as they are, and are read again a second later.
 */
import type { Log } from "../../base/log.ts";
import type { KnownSettings, QueueSettings, QueueStore } from "../ports/dispatch/queues.ts";

/** Pause after a failed reading, milliseconds. */
const AGAIN_MS = 1_000;

/** Settings of queues that this instance obeys. */
export class QueueRules implements KnownSettings {
  readonly #store: Pick<QueueStore, "listAll" | "listen">;
  readonly #log: Log;
  readonly #listeners: ((queues: readonly QueueSettings[]) => void)[] = [];
  #rules = new Map<string, QueueSettings>();
  /** Settings may have changed since the last reading began. */
  #stale = false;
  #reading: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => Promise<void>) | null = null;
  #stopped = false;

  constructor(store: Pick<QueueStore, "listAll" | "listen">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Begins to follow the store; resolves after the first reading. */
  async open(): Promise<void> {
    this.#unlisten = this.#store.listen(() => this.refresh());
    this.refresh();
    await this.#reading;
  }

  /** Calls `listener` with all queues that have, or had, settings, after these or what waits may have changed. */
  onChange(listener: (queues: readonly QueueSettings[]) => void): void {
    this.#listeners.push(listener);
  }

  get isEmpty(): boolean {
    return this.#rules.size === 0;
  }

  of({ tenantId, queue }: { readonly tenantId: string; readonly queue: string }): QueueSettings | undefined {
    return this.#rules.size === 0 ? undefined : this.#rules.get(keyOf(tenantId, queue));
  }

  /** All queues that have settings. */
  get all(): Iterable<QueueSettings> {
    return this.#rules.values();
  }

  /** Settings have changed. */
  refresh(): void {
    if (this.#stopped) return;
    this.#stale = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#unlisten?.();
    await this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#stale && !this.#stopped) {
      this.#stale = false;
      const before = this.#rules;
      try {
        const settings = await this.#store.listAll();
        this.#rules = new Map(settings.map((one) => [keyOf(one.tenantId, one.queue), one]));
      } catch (error) {
        this.#log.warn("settings of queues could not be read; what they were still holds", { error });
        this.#timer = setTimeout(() => this.refresh(), AGAIN_MS).unref();
        return;
      }
      const changed = [...new Map([...before, ...this.#rules]).values()];
      for (const listener of this.#listeners) listener(changed);
    }
  }
}

/** Names of queues hold no blanks. */
function keyOf(tenantId: string, queue: string): string {
  return `${queue} ${tenantId}`;
}
