/**
 * Trials find the entity that kills its owners. After the death of an owner, the next one touches the entities that the
 * dead one may have been working on, one after the other, and writes the name of each into the store first.
 *
 *   moving or overdue at a death → suspect ──taken over, named──→ on probation ──next progress, named──→ cleared
 *                                     ├────────────────────────────────┘
 *                                     └── the owner dies meanwhile: a death against this entity at this moment
 *   two deaths in a row at the same moment, or named by the watchdog → quarantine, before it is touched again
 *
 * An entity is *in progress* from the moment its name is in the store until its commit, the effects that follow at
 * once, and one turn of the event loop are over: a few milliseconds. A death counts against an entity only if nothing
 * else was in progress. A trial that passes clears the deaths at its moment. An entity with a death is *marked*: it is
 * tried last and after a random pause, so that somebody who kills at a steady pace does not hit it twice.
 *
 * While there are marked entities, the instance pauses after each trial for about twice as long as the trial took. A
 * kill from outside is more likely to hit a pause than a trial; an entity that kills never hits one. So the deaths tell
 * the two apart, however long trials take: see verdict.ts.
 *
 * When very many entities wait, several are named together and tried at once. A death then only marks them, and marked
 * entities are tried alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import type { Lease } from "../../ports/leases.ts";
import type { Kind, Suspect, SuspectStore, Trial } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { OwnedShards } from "../ownership/owned-shards.ts";
import { retryUntil } from "../retry-until.ts";

/** While at most so many wait, each is tried alone. */
const ALONE_MOST = 500;

/** How many are tried together when more wait. */
const GROUP = 64;

/** A marked entity is tried after a pause of up to this long, milliseconds. Also the longest pause between trials. */
const PAUSE_MS = 5_000;

/** A trial that takes longer, milliseconds, is waiting for something outside, and the next one begins. */
const PATIENCE_MS = 10_000;

/** The moment at which an entity is taken over. */
const TAKEOVER = "takeover";

/** What trials need. */
export interface TrialParts {
  readonly shards: OwnedShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** See {@link PAUSE_MS}, for tests. */
  readonly pauseMs?: number | undefined;
}

/** A trial that is still to come. */
interface Waiting extends Trial {
  readonly store: SuspectStore | null;
  /** Touches the entity. Resolves when the outcome is durable; never rejects. */
  readonly work: () => Promise<void>;
  readonly done: PromiseWithResolvers<void>;
}

/** A trial that has passed. */
interface Passed extends Trial {
  readonly store: SuspectStore | null;
}

/** The queue of suspects of one instance. */
export class Trials {
  readonly #parts: TrialParts;
  readonly #waiting = new Set<Waiting>();
  /** Trials that a caller waits for. */
  readonly #urgent = new Set<Waiting>();
  /** Takeovers that are not over, by entity. Nobody else may touch these entities. */
  readonly #takeovers = new Map<string, Waiting>();
  /** Moments at which owners died before, by entity. */
  readonly #marks = new Map<string, Set<string>>();
  /** The last trial of each marked entity, so that its events stay in order. */
  readonly #last = new Map<string, Promise<void>>();
  #passed: Passed[] = [];
  #running: Promise<void> | null = null;
  #paused = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  /** Marks entities with the moments at which owners before have died. */
  mark(suspects: readonly Suspect[]): void {
    for (const { id, moment } of suspects) {
      const moments = this.#marks.get(id) ?? new Set();
      this.#marks.set(id, moments.add(moment));
    }
  }

  /** Tries the takeover of an entity. Until it is over, {@link recovered} keeps everybody else from it. */
  takeOver(kind: Kind, id: string, shard: number, work: () => Promise<void>): Promise<void> {
    const trial = this.#add(kind.suspects, { id, shard, moment: TAKEOVER }, work);
    this.#takeovers.set(id, trial);
    return trial.done.promise.finally(() => this.#takeovers.delete(id));
  }

  /** True until the takeover of the entity is over. */
  isTakingOver(id: string): boolean {
    return this.#takeovers.has(id);
  }

  /** Resolves when the takeover of the entity is over. Moves it ahead of those that nobody waits for. */
  async recovered(id: string): Promise<void> {
    const trial = this.#takeovers.get(id);
    if (trial === undefined) return;
    // A marked entity keeps its place.
    if (!this.#marks.has(id) && this.#waiting.delete(trial)) this.#urgent.add(trial);
    await trial.done.promise;
  }

  /**
   * Adds a trial; the trials of one entity run in order. Resolves when `work` is done, whatever its outcome.
   */
  add(kind: Kind, trial: Trial, work: () => Promise<void>): Promise<void> {
    return this.#add(kind.suspects, trial, work).done.promise;
  }

  #add(store: SuspectStore | null, trial: Trial, work: () => Promise<void>): Waiting {
    const waiting: Waiting = { ...trial, store, work, done: Promise.withResolvers() };
    if (this.#marks.has(trial.id)) void this.#addMarked(waiting);
    else this.#enqueue(waiting);
    return waiting;
  }

  /** The entity has made progress or has ended: its deaths are forgotten. */
  clear(kind: Kind, id: string, shard: number): void {
    if (!this.#marks.delete(id)) return;
    this.#passed.push({ id, shard, moment: "", store: kind.suspects });
    this.#start();
  }

  /** Resolves when no trial is left. */
  async drain(): Promise<void> {
    while (this.#running !== null || this.#paused > 0) {
      await this.#running;
      if (this.#paused > 0) await sleep(1);
    }
  }

  async #addMarked(trial: Waiting): Promise<void> {
    const before = this.#last.get(trial.id);
    this.#last.set(trial.id, trial.done.promise);
    this.#paused += 1;
    await before;
    await this.#pause(Math.random() * (this.#parts.pauseMs ?? PAUSE_MS));
    this.#paused -= 1;
    this.#enqueue(trial);
    await trial.done.promise;
    if (this.#last.get(trial.id) === trial.done.promise) this.#last.delete(trial.id);
  }

  async #pause(ms: number): Promise<void> {
    const { lifecycle } = this.#parts;
    const until = performance.now() + ms;
    for (let left = ms; left > 0 && !lifecycle.draining && !lifecycle.stopping; left = until - performance.now())
      await sleep(Math.min(left, 20));
  }

  #enqueue(trial: Waiting): void {
    this.#waiting.add(trial);
    this.#start();
  }

  #start(): void {
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
      if (this.#waiting.size + this.#urgent.size + this.#passed.length > 0) this.#start();
    });
  }

  async #work(): Promise<void> {
    while (this.#waiting.size + this.#urgent.size > 0) {
      const group = this.#take();
      // A stopping instance takes over nothing more, but still writes events.
      const wanted = this.#parts.lifecycle.stopping ? group.filter(({ moment }) => moment !== TAKEOVER) : group;
      const compared = this.#marks.size > 0 && group.length === 1;
      const startedAt = performance.now();
      await this.#name(wanted);
      await withPatience(Promise.all(wanted.map((trial) => trial.work())));
      // The immediate effects of a commit happen within one turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      const tookMs = performance.now() - startedAt;
      for (const { id, shard, moment, store, done } of group) {
        this.#passed.push({ id, shard, moment, store });
        const moments = this.#marks.get(id);
        if (moments?.delete(moment) === true && moments.size === 0) this.#marks.delete(id);
        done.resolve();
      }
      // A caller that waited for this trial may add another one.
      await new Promise((resolve) => setImmediate(resolve));
      if (compared) await this.#compare(tookMs);
    }
    await this.#name([]);
  }

  /** Pauses for twice as long as the last trial took, on average; random, so that no steady pace can miss it. */
  async #compare(tookMs: number): Promise<void> {
    await this.#name([]);
    await this.#pause(Math.min(4 * Math.random() * tookMs, this.#parts.pauseMs ?? PAUSE_MS));
  }

  #take(): Waiting[] {
    const many = this.#waiting.size > ALONE_MOST;
    const group: Waiting[] = [];
    for (const trials of [this.#urgent, this.#waiting]) {
      for (const trial of trials) {
        if (group.length > 0 && this.#marks.has(trial.id)) continue;
        trials.delete(trial);
        group.push(trial);
        if (!many || group.length >= GROUP || this.#marks.has(trial.id)) return group;
      }
    }
    return group;
  }

  async #name(group: readonly Waiting[]): Promise<void> {
    const passed = this.#passed;
    this.#passed = [];
    const stores = new Set([...group, ...passed].map(({ store }) => store));
    for (const store of stores) {
      if (store === null) continue;
      const isOf = (one: Passed): boolean => one.store === store;
      await this.#nameIn(store, group.filter(isOf), passed.filter(isOf), group.length === 1);
    }
  }

  async #nameIn(store: SuspectStore, group: readonly Trial[], passed: readonly Trial[], alone: boolean): Promise<void> {
    const { shards, lifecycle, log } = this.#parts;
    const leases = new Map<number, Lease>();
    for (const { shard } of [...group, ...passed]) {
      const epoch = shards.epochOf(shard);
      if (epoch !== undefined) leases.set(shard, { shard, epoch });
    }
    const trials = group.map(({ id, shard, moment }) => ({ id, shard, moment }));
    await retryUntil(
      log,
      () => store.name([...leases.values()], trials, passed, alone),
      () => lifecycle.stopping,
    ).catch((error: unknown) => {
      // The trial runs all the same, because a caller may be waiting for it: a death would then blame nobody.
      log.warn("the entity in progress could not be named in the store", { error });
    });
  }
}

async function withPatience(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([work, patience]);
  clearTimeout(timer);
}
