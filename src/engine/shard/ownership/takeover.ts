/**
 * Takes over the entities of shards that became ours: those that were moving are read and set in motion again. Entities
 * that only wait stay in the store until something happens to them.
 *
 * A shard that its owner gave back has no suspects. If the owner died, any entity that was moving or is overdue may
 * have killed it: those go through trials.ts, and the others are left alone. Entities that are known to kill are held
 * before anything is read.
 */
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { TakenLease } from "../../ports/leases.ts";
import type { Kind, Suspect } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Residence } from "../residence/residence.ts";
import type { Resident } from "../resident.ts";
import { retryUntil } from "../retry-until.ts";
import type { Probation } from "../submission/probation.ts";
import type { Trials } from "../submission/trials.ts";
import { isGuilty } from "../submission/verdict.ts";
import type { DatabaseClock } from "./database-clock.ts";
import type { OwnedShards } from "./owned-shards.ts";

/** How many entities of clean shards are read at the same time. */
const READERS = 16;

export interface TakeoverParts {
  readonly shards: OwnedShards;
  readonly residences: readonly Residence[];
  readonly trials: Trials;
  readonly probation: Probation;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

interface Found {
  readonly id: string;
  readonly moving: boolean;
}

/** Takes over entities. */
export class Takeover {
  readonly #parts: TakeoverParts;

  constructor(parts: TakeoverParts) {
    this.#parts = parts;
  }

  /**
   * Locks the entities of shards whose owner died until {@link run} knows which of them are suspects. Called before the
   * shards are ours. The returned function unlocks them.
   */
  close(leases: readonly TakenLease[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const { shard, clean } of leases) if (!clean) this.#parts.shards.closed.set(shard, promise);
    return resolve;
  }

  /**
   * Takes over the entities of these shards. Resolves with how many were moving. `opened` is called when the suspects
   * are known. Rejects when the entities cannot be listed.
   */
  async run(leases: readonly TakenLease[], opened: () => void): Promise<number> {
    const { shards, residences } = this.#parts;
    const list = leases.map(({ shard }) => shard);
    try {
      for (const { kind } of residences) await this.#judge(kind, leases);
      const work: Promise<void>[] = [];
      let moving = 0;
      for (const residence of residences) {
        const found = await this.#ask(() => residence.kind.store.listMoving(list));
        moving += found.filter((one) => one.moving).length;
        work.push(this.#adoptAll(residence, found, leases));
      }
      opened();
      await Promise.all(work);
      for (const { kind } of residences) await kind.outside.afterTakeover(list);
      return moving;
    } finally {
      opened();
      for (const shard of list) shards.closed.delete(shard);
    }
  }

  async #adoptAll(residence: Residence, found: readonly Found[], leases: readonly TakenLease[]): Promise<void> {
    const { shards, trials } = this.#parts;
    const { kind } = residence;
    const clean = new Set(leases.filter((lease) => lease.clean).map(({ shard }) => shard));
    const isClean = ({ id }: Found): boolean => kind.suspects === null || clean.has(shards.shardOf(id));
    const tried = found
      .filter((one) => !isClean(one))
      .map((one) => trials.takeOver(kind, one.id, shards.shardOf(one.id), () => this.#adopt(residence, one, false)));
    await forEach(found.filter(isClean), (one) => this.#adopt(residence, one, true));
    await Promise.all(tried);
  }

  /** Counts the deaths, and holds entities that are known to kill. */
  async #judge(kind: Kind, leases: readonly TakenLease[]): Promise<void> {
    const { suspects: store, name } = kind;
    if (store === null) return;
    const { trials, clock, log } = this.#parts;
    const startedAt = performance.now();
    const suspects = await this.#ask(() => store.judge(leases));
    const judgedMs = performance.now() - startedAt;
    const guilty = new Map(suspects.filter(isGuilty).map((suspect) => [suspect.id, suspect]));
    for (const [id, suspect] of guilty) {
      const lease = leases.find(({ shard }) => shard === suspect.shard);
      if (lease === undefined) continue;
      const why = reasonOf(kind, suspect);
      const at = clock.now();
      if (!(await this.#ask(() => store.hold(lease, id, at, why)))) continue;
      log.error(`a ${name} is put into quarantine: it stopped the processes that were working on it`, {
        [`${name}Id`]: id,
        why,
      });
      kind.outside.quarantined(id, suspect.blocked ? "BLOCKED" : "KILLED");
    }
    trials.mark(
      suspects.filter(({ id }) => !guilty.has(id)),
      judgedMs,
    );
  }

  async #adopt(residence: Residence, { id, moving }: Found, clean: boolean): Promise<void> {
    const { rules, outside } = residence.kind;
    await this.#withResident(residence, id, async (resident) => {
      failPoint("takeover.run", id);
      // The list may contain entities that began here after the shard was taken: they are under way already.
      if (resident.adopted || rules.hasEnded(resident.entity)) return;
      // An entity that only waits is in memory now, so its timer will fire.
      const recovered = moving ? this.#parts.probation.recover(resident, clean) : Promise.resolve();
      if (!clean) resident.suspect = true;
      await recovered;
      if (!clean) await outside.begun(resident);
    });
  }

  async #withResident(residence: Residence, id: string, work: (resident: Resident) => Promise<void>): Promise<void> {
    const { shards, lifecycle, log } = this.#parts;
    const { store, name } = residence.kind;
    const isOver = (): boolean => lifecycle.stopping || shards.epochOf(shards.shardOf(id)) === undefined;
    if (isOver()) return;
    try {
      const resident = await retryUntil(log, () => residence.openNow(id), isOver);
      if (!isOver()) await work(resident);
    } catch (error) {
      // An entity that could not be read is in quarantine by now, and the log says so.
      if (!isOver() && !store.isUnreadable(error))
        log.error(`a ${name} could not be taken over`, { [`${name}Id`]: id, error });
    }
  }

  #ask<T>(work: () => Promise<T>): Promise<T> {
    return retryUntil(this.#parts.log, work, () => this.#parts.lifecycle.stopping);
  }
}

function reasonOf({ name }: Kind, { deaths, blocked, moment }: Suspect): string {
  if (blocked) return `the event loop of its owner stood still while this ${name} was current`;
  return `${deaths} owners died with only this ${name} in progress (${moment}), and it never passed`;
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(READERS, items.length) }, reader));
}
