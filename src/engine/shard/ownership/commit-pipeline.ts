/**
 * A commit pipeline: group commit for a part of the shards.
 *
 *   idle ──touch──→ collecting (until the event loop has processed its queue) ──→ committing ──→ collecting … while
 *   residents are dirty, else idle
 *
 * While one batch is in flight the next fills: no timer, no tuning. When a batch returns, the effects of its
 * transitions start. Entities that continue without external work join the next batch, which is sent before anyone is
 * notified of this one, so the store does not wait for callers. A batch is limited by transitions and size; while the
 * transition of an entity is full (`isFull`), its later events wait. A failed write has one of six outcomes:
 *   data the batch is halved until the faulty entity is alone; it is quarantined
 *   gone the batch is halved until the start whose flow version was deleted is alone; it is repeated with what the
 *   store has by then
 *   slow too much for the store: like `failed`, but retried in halves, and batches stay smaller until one succeeds
 *   failed nothing was written: starts fail, transitions of existing entities are retried until the store is back
 *   unknown the epochs of the pipeline's shards are raised, which waits for the old statement to end; what was written
 *   is read back, and the rest
 *            is decided again (while the store is away, all callers get an error, including those that wait for later
 *            batches)
 *   refused single transitions: fenced (shard lost), taken (start key known), early (timer ahead of the database's
 *   clock)
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import { setCurrentRun } from "../../../base/process/current-run.ts";
import { CommitError, type CommitResult, type JournalWriter } from "../../ports/journal.ts";
import type { Lease } from "../../ports/leases.ts";
import type { ProjectedRows } from "../../ports/projections.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Pipeline, Resident } from "../resident.ts";
import type { Entry } from "../settlement/entry.ts";
import type { FailedCommits } from "../settlement/failed-commits.ts";
import type { Settlement } from "../settlement/settlement.ts";
import type { UnknownOutcome } from "../settlement/unknown-outcome.ts";
import type { DatabaseClock } from "./database-clock.ts";
import type { OwnedShards } from "./owned-shards.ts";

const NO_ROWS: readonly never[] = [];

/** Most transitions in one batch: keeps statements and their results small. */
const MAX_BATCH = 2_000;

/** Most characters of records in one batch. A single transition may have more. */
const MAX_BATCH_SIZE = 16_777_216;

/** If the store repeatedly times out on a single transition of at least this size, the transition is the cause. */
const LARGE_TRANSITION = 1_048_576;
const MAX_SLOW_TRIES = 5;

const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 2_000;

export interface PipelineParts {
  readonly shards: OwnedShards;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly settlement: Settlement;
  readonly failures: FailedCommits;
  readonly unknown: UnknownOutcome;
  readonly log: Log;
}

/** Resolves when the event loop has processed its queue. */
const endOfRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when all immediate reactions have run. */
const endOfReactions = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Group commit for a part of the shards. */
export class CommitPipeline implements Pipeline {
  readonly index: number;
  readonly #writer: JournalWriter;
  readonly #parts: PipelineParts;
  /**
   * Residents with pending records. The set is replaced when it is empty, because a long-lived set keeps its former
   * members from the garbage collector (see ChurningMap).
   */
  #dirty = new Set<Resident>();
  /** Written, but nobody has been notified yet. */
  #unnotified: Entry[] = [];
  #active = false;
  /** Fraction of the largest batch to try: halved when a batch was too much, doubled when one succeeds. */
  #share = 1;
  #idle: (() => void)[] = [];

  constructor(index: number, writer: JournalWriter, parts: PipelineParts) {
    this.index = index;
    this.#writer = writer;
    this.#parts = parts;
  }

  touch(resident: Resident): void {
    this.#dirty.add(resident);
    if (this.#active) return;
    this.#active = true;
    // All events that arrived together share a batch.
    void endOfRound().then(() => this.#work());
  }

  forget(resident: Resident): void {
    this.#dirty.delete(resident);
  }

  /** Resolves when everything pending has been written or abandoned. */
  async drain(): Promise<void> {
    if (!this.#active) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Closes the connection. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  async #work(): Promise<void> {
    try {
      while (this.#dirty.size > 0) {
        await this.#commit(this.#take());
        await endOfReactions();
      }
    } catch (error) {
      this.#parts.log.error("a commit pipeline stopped on a bug", { pipeline: this.index, error });
    } finally {
      setCurrentRun("");
      this.#notify();
      this.#active = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      const [next] = this.#dirty;
      if (next !== undefined) this.touch(next);
    }
  }

  #take(): Entry[] {
    const { failures } = this.#parts;
    const entries: Entry[] = [];
    const unfit: { readonly entry: Entry; readonly cause: unknown }[] = [];
    let size = 0;
    for (const resident of this.#dirty) {
      if (entries.length >= MAX_BATCH * this.#share || size >= MAX_BATCH_SIZE * this.#share) break;
      this.#dirty.delete(resident);
      if (resident.pending.length === 0 || resident.gone || resident.frozen) continue;
      let json = "";
      let rows: readonly ProjectedRows[] = NO_ROWS;
      let cause: unknown = null;
      setCurrentRun(resident.id);
      try {
        json = JSON.stringify(resident.pending);
        rows = resident.kind.rowsOf(resident);
      } catch (error) {
        // A value that is not JSON or too large for one string, or a projection that cannot be made.
        cause = error;
      }
      size += json.length;
      const entry: Entry = {
        resident,
        transition: resident.kind.write(resident, json, rows),
        isStart: !resident.started,
        events: resident.events,
        replies: resident.replies,
        isLast: false,
      };
      resident.pending = [];
      resident.pendingSize = 0;
      resident.events = [];
      resident.replies = [];
      resident.dueAt = 0;
      resident.committing = true;
      resident.committingReplies = entry.replies;
      if (cause === null) entries.push(entry);
      else unfit.push({ entry, cause });
    }
    setCurrentRun("");
    if (this.#dirty.size === 0) this.#dirty = new Set();
    for (const { entry, cause } of unfit) failures.poisoned(entry, cause);
    return entries;
  }

  async #commit(entries: readonly Entry[]): Promise<void> {
    const { clock, failures, lifecycle, unknown } = this.#parts;
    let rest = entries;
    let slowTries = 0;
    for (let delay = RETRY_FIRST_MS; rest.length > 0; delay = Math.min(delay * 2, RETRY_MOST_MS)) {
      const owned = this.#dropFenced(rest);
      if (owned.length === 0) return;
      try {
        const askedAt = clock.monotonic();
        const written = this.#writer.commit(
          this.#leasesOf(owned),
          owned.map((entry) => entry.transition),
        );
        // While the store works.
        this.#notify();
        const result = await written;
        this.#share = Math.min(1, this.#share * 2);
        clock.sample(result.now, askedAt);
        this.#settle(owned, result);
        return;
      } catch (error) {
        if (!(error instanceof CommitError)) throw error;
        if (error.kind === "data" || error.kind === "gone") return this.#halve(owned, error);
        if (error.kind !== "failed") this.#share = Math.max(1 / MAX_BATCH, this.#share / 2);
        if (error.kind === "unknown")
          return unknown.resolve(this.index, owned, (cause) => this.#refuseWaiting(cause), error.cause);
        slowTries = error.kind === "slow" ? slowTries + 1 : 0;
        const [first] = owned;
        if (slowTries >= MAX_SLOW_TRIES && first !== undefined && first.transition.json.length >= LARGE_TRANSITION)
          return failures.poisoned(first, error.cause);
        rest = owned.filter((entry) => failures.unavailable(entry, error.cause));
        this.#refuseWaiting(error.cause);
        if (rest.length > 0 && lifecycle.stopping) return;
        if (rest.length > 0) await sleep(delay);
        if (error.kind === "slow" && rest.length > 1) return this.#inHalves(rest);
      }
    }
  }

  /** The store is away: callers that wait for later batches get an error too. */
  #refuseWaiting(cause: unknown): void {
    for (const resident of [...this.#dirty]) this.#parts.failures.waiting(resident, cause);
  }

  #dropFenced(entries: readonly Entry[]): readonly Entry[] {
    const { shards, failures } = this.#parts;
    const lost = entries.filter(({ resident }) => resident.gone || shards.epochOf(resident.shard) === undefined);
    for (const entry of lost) failures.refused(entry, "fenced");
    return lost.length === 0 ? entries : entries.filter((entry) => !lost.includes(entry));
  }

  #leasesOf(entries: readonly Entry[]): Lease[] {
    const leases = new Map<number, Lease>();
    for (const { resident } of entries) {
      const { shard } = resident;
      const epoch = this.#parts.shards.epochOf(shard);
      if (epoch !== undefined && !leases.has(shard)) leases.set(shard, { shard, epoch });
    }
    return [...leases.values()];
  }

  #settle(entries: readonly Entry[], result: CommitResult): void {
    if (result.refused.length === 0) {
      for (const entry of entries) this.#committed(entry);
      return;
    }
    const refused = new Map(result.refused.map((refusal) => [refusal.runId, refusal.why]));
    for (const entry of entries) {
      const why = refused.get(entry.resident.id);
      if (why === undefined) this.#committed(entry);
      else this.#parts.failures.refused(entry, why);
    }
  }

  #committed(entry: Entry): void {
    const { settlement } = this.#parts;
    const before = setCurrentRun(entry.resident.id);
    settlement.committed(entry);
    settlement.takeBacklog(entry);
    setCurrentRun(before);
    this.#unnotified.push(entry);
  }

  /** Notifies of the most recently written transitions. */
  #notify(): void {
    const entries = this.#unnotified;
    if (entries.length === 0) return;
    this.#unnotified = [];
    for (const entry of entries) {
      try {
        setCurrentRun(entry.resident.id);
        this.#parts.settlement.notify(entry);
      } catch (error) {
        // The next batch is in flight and must be awaited whatever fails here.
        this.#parts.log.error("notifying of a transition failed", { id: entry.resident.id, error });
      }
    }
    setCurrentRun("");
  }

  async #halve(entries: readonly Entry[], { kind, cause }: CommitError): Promise<void> {
    const { failures } = this.#parts;
    const [only, more] = entries;
    if (only === undefined || more !== undefined) return this.#inHalves(entries);
    if (kind === "gone") failures.refused(only, "gone");
    else failures.poisoned(only, cause);
  }

  async #inHalves(entries: readonly Entry[]): Promise<void> {
    const middle = entries.length >> 1;
    await this.#commit(entries.slice(0, middle));
    await this.#commit(entries.slice(middle));
  }
}
