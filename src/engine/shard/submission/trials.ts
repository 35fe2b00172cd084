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
 * tried last, at a random time within a hundred times as long as a trial, so that somebody who kills at any pace hits
 * it again once in a hundred times.
 *
 * While there are marked entities, the instance pauses after each trial for about twice as long as the trial took. A
 * kill from outside is more likely to hit a pause than a trial; an entity that kills never hits one. So the deaths tell
 * the two apart, however long trials take: see trial-pauses.ts and verdict.ts.
 *
 * When very many entities wait, several are named together and tried at once. A death then only marks them, and marked
 * entities are tried alone.
 *
 * A trial passes when its outcome is durable, and not before, however long it takes. If it is late, because the store
 * is, the next one begins, and both are in progress: a death marks them. The trial of a marked entity holds all others
 * up, so that a death counts against it alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import type { Lease } from "../../ports/leases.ts";
import type { Kind, Suspect, SuspectStore, Trial } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { OwnedShards } from "../ownership/owned-shards.ts";
import { retryUntil } from "../retry-until.ts";
import { TrialPauses } from "./trial-pauses.ts";

/** While at most so many wait, each is tried alone. */
const ALONE_MOST = 500;

/** How many are tried together when more wait. */
const GROUP = 64;

/** A trial commits three times: its name, its outcome, and that it passed. The judgement before commits once. */
const COMMITS = 3;

/** A trial that takes longer, milliseconds, is late. */
const PATIENCE_MS = 10_000;

/** The moment at which an entity is taken over. */
const TAKEOVER = "takeover";

export interface TrialParts {
  readonly shards: OwnedShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** The longest pause before the trial of a marked entity, milliseconds, for tests; default: follows the trials. */
  readonly pauseMs?: number | undefined;
  /** When a trial is late, milliseconds, for tests. */
  readonly patienceMs?: number | undefined;
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
  readonly #pauses: TrialPauses;
  readonly #waiting = new Set<Waiting>();
  /** Trials that a caller waits for. */
  readonly #urgent = new Set<Waiting>();
  /** Takeovers that are not over, by entity. Nobody else may touch these entities. */
  readonly #takeovers = new Map<string, Waiting>();
  /** Moments at which owners died before, by entity. */
  readonly #marks = new Map<string, Set<string>>();
  /** The last trial of each marked entity, so that its events stay in order. */
  readonly #last = new Map<string, Promise<void>>();
  /** Trials that are in progress, with those that are late. */
  readonly #trying = new Set<Waiting>();
  #passed: Passed[] = [];
  #running: Promise<void> | null = null;
  #paused = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
    this.#pauses = new TrialPauses(parts.lifecycle, parts.pauseMs);
  }

  /**
   * Marks entities with the moments at which owners before have died. `judgedMs`: what it took to read and judge them.
   */
  mark(suspects: readonly Suspect[], judgedMs: number): void {
    if (suspects.length > 0) this.#pauses.note(COMMITS * judgedMs);
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
    await this.#pauses.beforeMarked();
    this.#paused -= 1;
    this.#enqueue(trial);
    await trial.done.promise;
    if (this.#last.get(trial.id) === trial.done.promise) this.#last.delete(trial.id);
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
      const isMarked = group.some(({ id }) => this.#marks.has(id));
      const compared = this.#marks.size > 0 && group.length === 1;
      const startedAt = performance.now();
      await this.#name(wanted);
      const inTime = await this.#wait(Promise.all(wanted.map((trial) => this.#try(trial))), isMarked);
      const tookMs = performance.now() - startedAt;
      if (inTime && group.length === 1) this.#pauses.note(tookMs);
      for (const trial of group) if (!wanted.includes(trial)) trial.done.resolve();
      // A caller that waited for this trial may add another one.
      await new Promise((resolve) => setImmediate(resolve));
      if (!compared) continue;
      await this.#name([]);
      await this.#pauses.after(tookMs);
    }
    await this.#name([]);
  }

  async #try(trial: Waiting): Promise<void> {
    const { id, shard, moment, store, done } = trial;
    this.#trying.add(trial);
    await trial.work();
    // The immediate effects of a commit happen within one turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    this.#trying.delete(trial);
    this.#passed.push({ id, shard, moment, store });
    const moments = this.#marks.get(id);
    if (moments?.delete(moment) === true && moments.size === 0) this.#marks.delete(id);
    done.resolve();
    // If it is late, nobody may be there to store that it passed.
    this.#start();
  }

  /** Waits for trials until they are late. A marked one may be as late as it likes, unless this instance stops. */
  async #wait(tried: Promise<unknown>, isMarked: boolean): Promise<boolean> {
    for (;;) {
      if (await isInTime(tried, this.#parts.patienceMs ?? PATIENCE_MS)) return true;
      if (!isMarked || this.#parts.lifecycle.stopping) return false;
    }
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

  /** Names `group` beside those that are late, if it is not empty, and clears what has passed. */
  async #name(group: readonly Waiting[]): Promise<void> {
    const passed = this.#passed;
    this.#passed = [];
    const trials = group.length === 0 ? [] : [...this.#trying, ...group];
    const stores = new Set([...trials, ...passed].map(({ store }) => store));
    for (const store of stores) {
      if (store === null) continue;
      const isOf = (one: Passed): boolean => one.store === store;
      await this.#nameIn(store, trials.filter(isOf), passed.filter(isOf), trials.length === 1);
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

async function isInTime(work: Promise<unknown>, patienceMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), patienceMs);
  const inTime = await Promise.race([work.then(() => true), promise]);
  clearTimeout(timer);
  return inTime;
}
