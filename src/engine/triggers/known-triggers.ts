/**
 * All triggers, in memory, compiled, as the store had them a moment ago.
 *
 *   opening → read ──announced──→ reading → read …
 *
 * A definition is read and compiled again when its revision has changed. What cannot be read stays as it is, and is
 * read again a second later.
 */
import type { Log } from "../../base/log.ts";
import { compileTrigger } from "../../flows/triggers/compile-trigger.ts";
import type { KnownTrigger, StoredTrigger, TriggerStore } from "../ports/bus/triggers.ts";

/** Pause after a failed read, milliseconds. */
const AGAIN_MS = 1_000;

export class KnownTriggers {
  readonly #store: Pick<TriggerStore, "listHeads" | "find" | "listen">;
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  #triggers: ReadonlyMap<string, KnownTrigger> = new Map();
  /** The same as a list, which every message reads. */
  #all: readonly KnownTrigger[] = [];
  /** Triggers may have changed since the last read began. */
  #stale = false;
  #reading: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => Promise<void>) | null = null;
  #stopped = false;

  constructor(store: Pick<TriggerStore, "listHeads" | "find" | "listen">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Starts following the store; resolves after the first read. */
  async open(): Promise<void> {
    this.#unlisten = this.#store.listen(() => void this.refresh());
    await this.refresh();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get all(): readonly KnownTrigger[] {
    return this.#all;
  }

  find(tenantId: string, triggerId: string): KnownTrigger | undefined {
    return this.#triggers.get(keyOf(tenantId, triggerId));
  }

  /** Triggers have changed. Resolves when a reading that began from now on has ended, whether or not it succeeded. */
  async refresh(): Promise<void> {
    if (this.#stopped) return;
    this.#stale = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#unlisten?.(), this.#reading]);
  }

  async #read(): Promise<void> {
    while (this.#stale && !this.#stopped) {
      this.#stale = false;
      clearTimeout(this.#timer);
      try {
        await this.#readOnce();
      } catch (error) {
        if (!this.#stopped) {
          this.#log.warn("triggers cannot be read; those of before stay", { error });
          this.#timer = setTimeout(() => void this.refresh(), AGAIN_MS).unref();
        }
        return;
      }
      for (const listener of this.#listeners) listener();
    }
  }

  async #readOnce(): Promise<void> {
    const heads = await this.#store.listHeads();
    const fresh = heads.filter((head) => this.find(head.tenantId, head.triggerId)?.revision !== head.revision);
    const read = new Map<string, StoredTrigger>();
    for (const [tenantId, ofTenant] of Map.groupBy(fresh, (head) => head.tenantId)) {
      const ids = ofTenant.map(({ triggerId }) => triggerId);
      for (const trigger of await this.#store.find(tenantId, ids))
        read.set(keyOf(tenantId, trigger.triggerId), trigger);
    }
    const next = new Map<string, KnownTrigger>();
    for (const head of heads) {
      const key = keyOf(head.tenantId, head.triggerId);
      const stored = read.get(key);
      const known = this.#triggers.get(key);
      if (stored !== undefined) next.set(key, this.#toKnown(stored));
      // Gone since the list was read, unless it is known already.
      else if (known !== undefined) next.set(key, { ...known, ...head, revision: known.revision });
    }
    this.#triggers = next;
    this.#all = [...next.values()];
  }

  /** A definition that an earlier release has stored may be one that this one cannot use. */
  #toKnown({ definition, ...head }: StoredTrigger): KnownTrigger {
    try {
      return { ...head, compiled: compileTrigger(definition) };
    } catch (error) {
      this.#log.error("the definition of a trigger cannot be used", { trigger: head.triggerId, error });
      return { ...head, compiled: null };
    }
  }
}

function keyOf(tenantId: string, triggerId: string): string {
  return `${tenantId}\0${triggerId}`;
}
