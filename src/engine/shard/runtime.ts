/**
 * The shard runtime: entities in memory, their events, and the effects of commits. It does not know the kinds; see
 * kind.ts.
 *
 *   submission event → decide, apply, settle (memory is ahead)
 *   ownership commit pipeline: one statement for all changed entities, fenced by the epochs of their shards
 *   settlement committed → external work, timers, replies; refused, failed, or unknown → memory returns to the state of
 *   the journal
 *   residence what is in memory: loaded on demand, evicted when it only waits
 *
 * External work of an entity starts only after the commit. Readers see an entity only when memory and journal agree.
 */
import type { Log } from "../../base/log.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { Journal } from "../ports/journal.ts";
import type { Leases } from "../ports/leases.ts";
import { Background } from "./background.ts";
import type { EntityTypes, Kind } from "./kind.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { NO_OBSERVER, type RuntimeObserver } from "./observer.ts";
import { BusyShards } from "./ownership/busy-shards.ts";
import { LeaseCluster } from "./ownership/cluster.ts";
import { CommitPipeline } from "./ownership/commit-pipeline.ts";
import type { DatabaseClock } from "./ownership/database-clock.ts";
import { Drain } from "./ownership/drain.ts";
import { NotWritableYet, WritableFormat } from "./ownership/journal-format.ts";
import { LeaseRenewer } from "./ownership/lease-renewer.ts";
import { OwnedShards } from "./ownership/owned-shards.ts";
import { Surplus } from "./ownership/surplus.ts";
import { Takeover } from "./ownership/takeover.ts";
import { type Repetition, repeat } from "./repeat.ts";
import { Residence } from "./residence/residence.ts";
import { Timers } from "./residence/timers.ts";
import { retryUntil } from "./retry-until.ts";
import { FailedCommits } from "./settlement/failed-commits.ts";
import { HeldBackEvents } from "./settlement/held-back.ts";
import { Reload } from "./settlement/reload.ts";
import { Settlement } from "./settlement/settlement.ts";
import { UnknownOutcome } from "./settlement/unknown-outcome.ts";
import { Decider } from "./submission/decider.ts";
import { Probation } from "./submission/probation.ts";
import { Submission } from "./submission/submission.ts";
import { TimeSlices } from "./submission/time-slices.ts";
import { Trials } from "./submission/trials.ts";

/** Interval of checks for due entities in the store, milliseconds; must be less than the timer horizon. */
const WAKE_EVERY_MS = 10_000;

/** Idle time after which a waiting entity is evicted, and the interval of these checks, milliseconds. */
const EVICT_AFTER_MS = 2_000;
const EVICT_EVERY_MS = 1_000;

export interface RuntimeParts {
  readonly journal: Pick<Journal, "openWriter">;
  readonly leases: Leases;
  readonly clock: DatabaseClock;
  readonly log: Log;
  /** Number of shards of the database. */
  readonly shards: number;
  /** Number of connections of the commit pipeline. */
  readonly commitConnections: number;
  /** Longest pause before the trial of a suspect with a death, milliseconds; default 5,000. */
  readonly suspectPauseMs?: number | undefined;
  /** When the trial of a suspect is late, milliseconds; default 10,000. */
  readonly suspectPatienceMs?: number | undefined;
  readonly observer?: RuntimeObserver | undefined;
}

/**
 * The entities of this instance. Order of calls: {@link addKind}, {@link open}, {@link start}, {@link drain}, {@link
 * stop}.
 */
export class Runtime {
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle = createLifecycle();
  readonly shards: OwnedShards;
  readonly trials: Trials;
  /** Entry point for events. */
  readonly submission: Submission;
  /** Recovers entities. */
  readonly probation: Probation;
  readonly cluster: LeaseCluster;
  readonly format = new WritableFormat();
  readonly #parts: RuntimeParts;
  readonly #residences: Residence[] = [];
  readonly #pipeline: CommitPipeline;
  readonly #timers: Timers;
  readonly #busyShards: BusyShards;
  readonly #renewer: LeaseRenewer;
  readonly #background = new Background();
  #loops: readonly Repetition[] = [];

  constructor(parts: RuntimeParts) {
    const { clock, leases, log, observer = NO_OBSERVER } = parts;
    const { lifecycle } = this;
    this.#parts = parts;
    this.clock = clock;
    this.shards = new OwnedShards(parts.shards, lifecycle);
    const { shards } = this;
    const slices = new TimeSlices(lifecycle, (resident) =>
      this.submission.post(resident, { type: "continue", at: clock.now() }),
    );
    const decider = new Decider(slices, this.format, (resident, error, event, reply) => {
      if (error instanceof NotWritableYet) heldBack.refuse(resident, error, event, reply);
      else failures.quarantine(resident, error, reply);
    });
    const timers = new Timers(clock, slices, (resident, event) => this.submission.post(resident, event), observer);
    this.#timers = timers;
    this.trials = new Trials({
      shards,
      lifecycle,
      log,
      pauseMs: parts.suspectPauseMs,
      patienceMs: parts.suspectPatienceMs,
    });
    this.probation = new Probation(this.trials, decider, timers, clock);
    this.submission = new Submission(decider, this.probation);
    const reload = new Reload(decider, timers, lifecycle, log);
    const failures = new FailedCommits(shards, reload, clock, log, observer);
    const heldBack = new HeldBackEvents({
      residences: this.#residences,
      reload,
      timers,
      submission: this.submission,
      log,
    });
    this.format.onRaised(() => heldBack.retryAll());
    const settlement = new Settlement(decider, timers, this.trials, heldBack, clock, log);
    const unknown = new UnknownOutcome({ leases, shards, settlement, failures, reload, timers, lifecycle, log });
    const committing = { shards, clock, lifecycle, settlement, failures, reload, unknown, observer, log };
    this.#pipeline = new CommitPipeline(committing);
    const { trials, probation, format } = this;
    const takeover = new Takeover({ shards, residences: this.#residences, trials, probation, clock, lifecycle, log });
    const onAdopted = (): void => this.#wakeNow();
    const busyShards = new BusyShards(shards, this.#residences);
    this.#busyShards = busyShards;
    const surplus = new Surplus({ leases, shards, busyShards, lifecycle, log });
    const renewing = { leases, shards, takeover, surplus, format, clock, lifecycle, observer, log, onAdopted };
    this.#renewer = new LeaseRenewer({ ...renewing, background: this.#background });
    this.cluster = new LeaseCluster(shards, leases, (wanted) => this.#renewer.look(wanted));
  }

  /** Adds a kind, before {@link start}. */
  addKind<T extends EntityTypes>(createKind: (residence: Residence<T>) => Kind<T>): Residence<T> {
    const { shards, trials, clock, lifecycle } = this;
    const { log } = this.#parts;
    const parts = { shards, pipeline: this.#pipeline, trials, timers: this.#timers, clock, lifecycle, log };
    const residence = new Residence<T>(parts, createKind);
    this.#residences.push(residence);
    return residence;
  }

  /** Opens the connections of the commit pipeline. */
  open(): Promise<void> {
    return this.#pipeline.open(this.#parts.journal, this.#parts.commitConnections);
  }

  /**
   * Takes shards, renews their leases, and wakes due entities from now on. Resolves when this instance owns what it
   * could get.
   */
  async start(ttlMs: number): Promise<void> {
    const { log } = this.#parts;
    await this.#renewer.start(ttlMs);
    this.#loops = [
      // A check that fails is made again at once: what is due before the next one is not late.
      repeat(() => this.#wakeSurely(), WAKE_EVERY_MS, log),
      repeat(async () => this.#evictIdle(), EVICT_EVERY_MS, log),
    ];
    this.#wakeNow();
  }

  /** Resolves when the entities that were open at the last stop have been taken over. */
  get adopted(): Promise<void> {
    return this.#renewer.adopted;
  }

  /** See drain.ts. Resolves with the number of calls still in progress: 0 unless `graceMs` was not enough. */
  drain(graceMs: number): Promise<number> {
    const { shards, lifecycle } = this;
    const { log } = this.#parts;
    const parts = { shards, residences: this.#residences, busyShards: this.#busyShards, lifecycle, log };
    return new Drain(parts, this.#renewer).run(graceMs);
  }

  /** Ends loops and background work, waits until everything decided is durable, and gives the shards back. */
  async stop(): Promise<void> {
    // First, so that a takeover in progress stops instead of finding the store closed.
    this.lifecycle.stopping = true;
    await this.#renewer.stop();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    await this.trials.drain();
    await this.#background.idle();
    await this.#pipeline.drain();
    for (const residence of this.#residences) residence.close();
    await this.#pipeline.close();
    failPoint("close.drained");
    await this.#parts.leases.release();
  }

  #wakeNow(): void {
    const { log } = this.#parts;
    const warn = (error: unknown): void => log.warn("a check for due runs failed", { error });
    this.#background.add(this.#wakeSurely().catch(warn));
  }

  #wakeSurely(): Promise<void> {
    return retryUntil(
      this.#parts.log,
      () => this.#wakeDue(),
      () => this.lifecycle.stopping,
    );
  }

  async #wakeDue(): Promise<void> {
    for (const residence of this.#residences) await residence.wakeDue();
  }

  #evictIdle(): void {
    for (const residence of this.#residences) residence.evictIdle(EVICT_AFTER_MS);
  }
}
