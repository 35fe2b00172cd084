/**
 * The entities of one kind that are in memory.
 *
 *   started here, or read from the store for an event or a timer → resident → ended, shard lost, or evicted because
 *   they only wait
 */
import { ChurningMap } from "../../../base/churning-map.ts";
import { dayOf } from "../../../base/ids.ts";
import type { Log } from "../../../base/log.ts";
import type { DueEntity, EntityTypes, Kind } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { CommitPipeline } from "../ownership/commit-pipeline.ts";
import type { DatabaseClock } from "../ownership/database-clock.ts";
import type { OwnedShards } from "../ownership/owned-shards.ts";
import { createResident, type Home, isClean, isWatched, noteSize, type Resident, takeReplies } from "../resident.ts";
import type { Trials } from "../submission/trials.ts";
import { EvictedWaiters } from "./evicted-waiters.ts";
import type { Timers } from "./timers.ts";

/**
 * How far ahead a check for due entities looks, milliseconds: more than the time until the next one, and less than the
 * timer horizon, beyond which entities are evicted.
 */
const LOOK_AHEAD_MS = 13_000;

/** Most concurrent reads of entities; more than the connections of the pool gains nothing. */
const PARALLEL_READS = 8;

/** Page size of the check for due entities. */
const PAGE = 5_000;

export interface ResidenceParts {
  readonly shards: OwnedShards;
  readonly pipeline: CommitPipeline;
  readonly trials: Trials;
  readonly timers: Timers;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

export class Residence<T extends EntityTypes = EntityTypes> implements Home<T> {
  readonly kind: Kind<T>;
  readonly residents = new ChurningMap<string, Resident<T>>();
  readonly evicted: EvictedWaiters<T>;
  readonly #parts: ResidenceParts;
  readonly #loading = new ChurningMap<string, Promise<Resident<T>>>();

  /** `createKind` receives this residence, for messages between its entities. */
  constructor(parts: ResidenceParts, createKind: (residence: Residence<T>) => Kind<T>) {
    this.#parts = parts;
    this.evicted = new EvictedWaiters((id) => parts.shards.shardOf(id));
    this.kind = createKind(this);
    parts.shards.onLost((shard) => this.#leave(shard));
  }

  /** The entity if it is in memory. */
  get(id: string): Resident<T> | undefined {
    return this.residents.get(id);
  }

  /** Brings a new entity into memory; its first event follows. */
  begin(id: string, shard: number, at: number, entity: T["entity"]): Resident<T> {
    const resident = this.#create(id, shard, dayOf(at), entity);
    resident.adopted = true;
    this.residents.set(id, resident);
    return resident;
  }

  /**
   * The entity, read from the store if necessary. Errors: those of the kind for `missing`, `moved` if another instance
   * owns it, and `unreadable`. What a start has brought into memory is the entity once the start is durable: it may
   * still be refused because there is another one with this id.
   */
  async open(id: string): Promise<Resident<T>> {
    const known = this.residents.get(id);
    if (known?.started && !known.suspect) return known;
    if (known === undefined || known.suspect) await this.recovered(id);
    return this.openNow(id);
  }

  /** The same for a suspect on trial. */
  async openNow(id: string): Promise<Resident<T>> {
    for (;;) {
      // The start may have come while the store was read.
      const resident = this.residents.get(id) ?? (await this.#read(id));
      if (resident.started) return resident;
      await untilSettled(resident);
    }
  }

  /** Resolves when the entity can be read: a suspect only after the trial of its takeover. */
  async recovered(id: string): Promise<void> {
    const { shards, trials } = this.#parts;
    if (shards.closed.size > 0) await shards.closed.get(shards.shardOf(id));
    await trials.recovered(id);
  }

  drop(resident: Resident<T>): void {
    resident.gone = true;
    resident.pipeline.forget(resident);
    if (resident.timer !== null) clearTimeout(resident.timer);
    resident.timer = null;
    // A lost entity may have been read again since.
    if (this.residents.get(resident.id) === resident) {
      this.residents.delete(resident.id);
      this.kind.outside.left?.(resident);
    }
    resident.waits.wake(resident);
    if (resident.watchers !== null) for (const watcher of resident.watchers) watcher([], 0);
  }

  async quarantineUnread(id: string, cause: Error): Promise<void> {
    const { shards, log } = this.#parts;
    const { name, store, outside } = this.kind;
    const shard = shards.shardOf(id);
    const epoch = shards.epochOf(shard);
    if (epoch === undefined) return;
    const fields = { [`${name}Id`]: id, error: cause };
    try {
      if (!(await store.quarantine({ shard, epoch }, id, cause.message))) return;
      log.error(`a ${name} cannot be read; it is put into quarantine`, fields);
      outside.quarantined(id, "UNREADABLE");
    } catch (error) {
      log.warn(`a ${name} that cannot be read could not be put into quarantine`, { ...fields, error });
    }
  }

  /** Reads the entities that are due soon, page after page, so that all of them are found. */
  async wakeDue(): Promise<void> {
    const { shards, clock, lifecycle } = this.#parts;
    const open = shards.owned.filter((shard) => !shards.closed.has(shard));
    if (open.length === 0) return;
    const until = clock.now() + LOOK_AHEAD_MS;
    let last: DueEntity | null = null;
    do {
      const due: readonly DueEntity[] = await this.kind.store.listDue(open, until, last, PAGE);
      let next = 0;
      const wake = async (): Promise<void> => {
        for (let one = due[next++]; one !== undefined && !lifecycle.stopping; one = due[next++])
          await this.#wake(one.id);
      };
      await Promise.all(Array.from({ length: PARALLEL_READS }, wake));
      last = due.length < PAGE ? null : (due[due.length - 1] ?? null);
    } while (last !== null && !lifecycle.stopping);
  }

  /**
   * Evicts entities that rest and were not touched for `idleMs`; timers and events bring them back. Returns their
   * number.
   */
  evictIdle(idleMs: number): number {
    const before = this.#parts.clock.now() - idleMs;
    const { rules, outside } = this.kind;
    let evicted = 0;
    for (const resident of this.residents.values()) {
      if (resident.touchedAt > before || !isClean(resident) || isWatched(resident)) continue;
      if (resident.onTrial > 0 || resident.timer !== null || resident.heldBack !== null) continue;
      if (outside.isBusy(resident)) continue;
      if (!rules.canRest(resident.entity)) continue;
      this.evicted.take(resident);
      this.drop(resident);
      evicted += 1;
    }
    return evicted;
  }

  /** Answers all callers that wait for the end of an entity, because this instance leaves. */
  wakeWaiters(): void {
    for (const resident of this.residents.values()) resident.waits.wake(resident);
    this.evicted.wake();
  }

  /** Ends all work and empties the residence. */
  close(): void {
    for (const resident of [...this.residents.values()]) {
      this.kind.outside.stop(resident);
      this.drop(resident);
    }
  }

  #create(id: string, shard: number, day: number, entity: T["entity"]): Resident<T> {
    const { pipeline } = this.#parts;
    return createResident<T>({ id, shard, kind: this.kind, home: this, pipeline, day, entity });
  }

  /** Reads an entity once for all who ask for it. */
  async #read(id: string): Promise<Resident<T>> {
    const loading = this.#loading.get(id) ?? this.#load(id);
    this.#loading.set(id, loading);
    try {
      return await loading;
    } catch (error) {
      if (this.kind.store.isUnreadable(error)) await this.quarantineUnread(id, error as Error);
      throw error;
    } finally {
      this.#loading.delete(id);
    }
  }

  async #load(id: string): Promise<Resident<T>> {
    const { shards, timers, clock } = this.#parts;
    const { kind } = this;
    const shard = shards.shardOf(id);
    const epoch = shards.epochOf(shard);
    if (epoch === undefined) throw kind.toError("moved", id);
    const stored = await kind.store.load(id);
    if (stored === null) throw kind.toError("missing", id);
    const entity = await kind.store.open(stored);
    const known = this.residents.get(id);
    if (known !== undefined) return known;
    // Another owner may have changed the entity since it was read.
    if (shards.epochOf(shard) !== epoch) throw kind.toError("moved", id);
    const resident = this.#create(id, shard, stored.day, entity);
    noteSize(resident, stored.size);
    const ended = kind.rules.hasEnded(entity);
    this.evicted.giveBack(resident, ended);
    resident.touchedAt = clock.now();
    if (!ended) {
      this.residents.set(id, resident);
      timers.arm(resident);
    }
    kind.outside.opened(resident, stored, false);
    return resident;
  }

  async #wake(id: string): Promise<void> {
    const known = this.residents.get(id);
    if (known === undefined) {
      await this.open(id).catch((error: unknown) => {
        // An unreadable entity is quarantined, which is in the log.
        if (this.kind.store.isUnreadable(error)) return;
        const { name } = this.kind;
        this.#parts.log.error(`a ${name} that is due could not be read`, { [`${name}Id`]: id, error });
      });
    } else if (known.timer === null && isClean(known)) {
      this.#parts.timers.armTimer(known);
    }
  }

  #leave(shard: number): void {
    for (const resident of this.residents.values()) {
      if (resident.shard !== shard) continue;
      this.drop(resident);
      this.kind.outside.stop(resident);
      for (const reply of takeReplies(resident)) reply.reject(this.kind.toError("moved", resident.id));
    }
    this.evicted.wake(shard);
  }
}

/** Resolves when it is known what has become of the start in memory. */
function untilSettled(resident: Resident): Promise<void> {
  return new Promise((resolve) => {
    const isInBatch = resident.committing && resident.pending.length === 0 && !resident.frozen;
    (isInBatch ? resident.committingReplies : resident.replies).push({ resolve, reject: () => resolve() });
  });
}
