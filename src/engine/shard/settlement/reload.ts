/** Makes memory and journal agree again: reads an entity from the store, then decides again what was lost. */
import type { Log } from "../../../base/log.ts";
import type { EntityTypes, StoredEntity } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Timers } from "../residence/timers.ts";
import { type EventOf, isClean, logFieldsOf, noteSize, type Reply, type Resident, takeReplies } from "../resident.ts";
import { retryUntil } from "../retry-until.ts";
import type { Decider } from "../submission/decider.ts";

type AnyEvent = EventOf<EntityTypes>;

export class Reload {
  readonly #decider: Decider;
  readonly #timers: Timers;
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;

  constructor(decider: Decider, timers: Timers, lifecycle: Lifecycle, log: Log) {
    this.#decider = decider;
    this.#timers = timers;
    this.#lifecycle = lifecycle;
    this.#log = log;
  }

  /** Reads an entity again, decides `events` again, and continues. Events that arrive in the meantime wait. */
  begin(resident: Resident, events: readonly AnyEvent[], replies: readonly Reply[]): void {
    this.freeze(resident);
    void (async () => {
      try {
        await this.reread(resident, await this.load(resident));
        if (resident.gone) throw resident.kind.toError("moved", resident.id);
        this.thaw(resident, events, replies);
        this.#timers.arm(resident);
      } catch (error) {
        this.abandon(resident, replies, error);
      }
    })();
  }

  /** From now on events wait. */
  freeze(resident: Resident): void {
    resident.frozen = true;
    resident.pipeline.forget(resident);
  }

  load(resident: Resident): Promise<StoredEntity | null> {
    const { store } = resident.kind;
    return retryUntil(
      this.#log,
      () => store.load(resident.id),
      () => this.#lifecycle.stopping || resident.gone,
    );
  }

  /** Restores the stored state of a resident. */
  async reread(resident: Resident, stored: StoredEntity | null): Promise<void> {
    const { rules, store, outside } = resident.kind;
    if (stored === null) {
      resident.entity = rules.reset(resident.entity);
      resident.started = false;
      return;
    }
    resident.entity = await retryUntil(
      this.#log,
      () => store.open(stored),
      () => this.#lifecycle.stopping || resident.gone,
    );
    resident.started = true;
    noteSize(resident, stored.size);
    // It may have been between two time slices; the next one finds out.
    rules.setUnsettled(resident.entity, stored.moving);
    outside.opened(resident, stored, true);
  }

  /** Decides again what was lost, then what was pending, then what arrived in the meantime. */
  thaw(resident: Resident, events: readonly AnyEvent[], replies: readonly Reply[]): void {
    const again = [...events, ...resident.events];
    const waiting = [...replies, ...resident.replies];
    const { backlog } = resident;
    resident.pending = [];
    resident.pendingSize = 0;
    resident.events = [];
    // Before the events are decided: a failure of one of them is theirs.
    resident.replies = waiting;
    resident.backlog = [];
    resident.dueAt = 0;
    resident.committing = false;
    resident.frozen = false;
    // Their callers are answered with the next transition, so all of the events go into it.
    for (const event of again) this.#decider.decideNow(resident, event, null);
    if (isClean(resident)) for (const reply of resident.replies.splice(0)) reply.resolve();
    for (const { event, reply } of backlog) this.#decider.decide(resident, event, reply);
  }

  /**
   * Abandons an entity that cannot be read back: it leaves memory, callers get an error, and everything else continues.
   */
  abandon(resident: Resident, replies: readonly Reply[], cause: unknown): void {
    const { kind, home, id } = resident;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (!resident.gone) {
      this.#log.error(`a ${kind.name} cannot be read back; it leaves memory`, { ...logFieldsOf(resident), error });
      home.drop(resident);
      if (kind.store.isUnreadable(error)) void home.quarantineUnread(id, error);
    }
    for (const reply of [...replies, ...takeReplies(resident)]) reply.reject(error);
  }
}
