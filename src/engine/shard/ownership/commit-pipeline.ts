/**
 * The commit pipeline of an instance: group commit of everything that changed, over a few connections.
 *
 *   resident ──touch──→ ready ──taken by a batch──→ committing ──settled──→ clean
 *                         ↑          touch: behind ←──┘   │
 *                         └──────────── settled ──────────┘
 *
 * A resident is in one batch at a time. What is decided while its transition is in flight waits *behind* it, and is
 * ready when the transition is settled. So transitions of one resident are written in their order, whatever connection
 * takes them, and a batch never holds two of one resident. Between residents there is no order: one that acts on the
 * state of another waits until that state is durable (`replyWhenDurable`).
 *
 * Sending. A batch takes what is ready, up to a number of transitions and a size; if that is much, free connections
 * divide it. While the transition of a resident is full (`isFull`), its later events wait. While one batch is in flight
 * the next fills, and goes when that one returns: no timer, no tuning. It goes beside the one in flight, on another
 * connection, if it has ENOUGH transitions, so that the store works while we do; a smaller one would be half a batch at
 * nearly the cost of a whole one. A batch that does not return for PATIENCE_MS (a lock, a slow disk, a retry) is not
 * waited for.
 *
 * When a batch returns, the effects of its transitions start. Entities that continue without external work join the
 * next batch, which is sent before anyone is notified of this one, so the store does not wait for callers.
 *
 * Failures. A failed write has one of six outcomes. The batch keeps its connection, and its residents stay committing,
 * until all of it is settled; other batches go on.
 *   data      the batch is halved until the faulty entity is alone; it is quarantined
 *   gone      the batch is halved until the start whose flow version was deleted is alone; it is repeated with what the
 *             store has by then
 *   slow      too much for the store: like `failed`, but retried in halves, and batches stay smaller until one succeeds
 *   failed    nothing was written: starts fail, transitions of existing entities are retried until the store is back
 *   unknown   the batch is fenced, then what was written is read back, and the rest is decided again; see below
 *   refused   single transitions: fenced (shard lost), taken (start key known), early (timer ahead of the database's
 *             clock)
 *
 * Fencing a batch in doubt. Raising the epochs of its shards waits for its statement to end, if it still runs; from
 * then on it is written or never will be. A new epoch also refuses every other statement of ours on these shards, and
 * to us that would look like the loss of a shard. So nothing is sent from now on, and the epochs are raised when
 * nothing of ours is in the store. That is soon: each statement has a time limit on both sides, and a retry between two
 * statements waits here, not in the store. Batches that come back in doubt meanwhile are fenced together with the first
 * (when the database restarts, all are). Then everything goes on; reading back concerns only the residents of the
 * batch, which are frozen and committing. While the store is away, all callers get an error, including those that wait
 * for later batches.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.ts";
import { setCurrentRun } from "../../../base/process/current-run.ts";
import { CommitError, type CommitResult, type Journal, type JournalWriter } from "../../ports/journal.ts";
import type { Lease } from "../../ports/leases.ts";
import type { ProjectedRows } from "../../ports/projections.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { RuntimeObserver } from "../observer.ts";
import type { Pipeline, Resident } from "../resident.ts";
import type { Entry } from "../settlement/entry.ts";
import type { FailedCommits } from "../settlement/failed-commits.ts";
import type { Reload } from "../settlement/reload.ts";
import type { Settlement } from "../settlement/settlement.ts";
import type { UnknownOutcome } from "../settlement/unknown-outcome.ts";
import type { DatabaseClock } from "./database-clock.ts";
import type { OwnedShards } from "./owned-shards.ts";

const NO_ROWS: readonly never[] = [];

/** Most transitions in one batch: keeps statements and their results small. */
const MAX_BATCH = 2_000;

/** Most characters of records in one batch. A single transition may have more. */
const MAX_BATCH_SIZE = 16_777_216;

/**
 * Transitions that go beside a batch in flight instead of waiting for its return. A statement costs as much as about 18
 * transitions before it carries any (from the CPU time per task in batches of 10 and of 25, service and database
 * together). At 32 that is a third of its cost; with much fewer it is most of it, and two connections do the work of
 * one at nearly twice the price.
 */
const ENOUGH = 32;

/** How long a small batch waits for one in flight, milliseconds: many times what a commit takes. */
const PATIENCE_MS = 100;

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
  readonly reload: Reload;
  readonly unknown: UnknownOutcome;
  readonly observer: RuntimeObserver;
  readonly log: Log;
}

/** Resolves when all immediate reactions have run. */
const endOfReactions = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Group commit over a few connections. */
export class CommitPipeline implements Pipeline {
  readonly #parts: PipelineParts;
  #writers: readonly JournalWriter[] = [];
  /** Writers without a batch. */
  #free: JournalWriter[] = [];
  /** Writers whose batch a small one waits for. */
  readonly #awaited = new Set<JournalWriter>();
  /** Writers with a statement in the store. */
  readonly #inStore = new Set<JournalWriter>();
  /**
   * Residents with pending records and no transition in flight. The set is replaced when it is empty, because a
   * long-lived set keeps its former members from the garbage collector (see ChurningMap).
   */
  #ready = new Set<Resident>();
  /** Since when something has been ready, monotonic milliseconds. */
  #readySince = 0;
  /** Residents with pending records behind a transition in flight. */
  #behind = new Set<Resident>();
  /** Written, but nobody has been notified yet. */
  #unnotified: Entry[] = [];
  #scheduled = false;
  /** Fraction of the largest batch to try: halved when a batch was too much, doubled when one succeeds. */
  #share = 1;
  /** Batches that are in doubt and not fenced. */
  #inDoubt: Entry[] = [];
  /** Batches in doubt are being fenced, and nothing is sent. */
  #fencing: Promise<void> | null = null;
  /** Called when nothing is in the store. */
  #onStoreLeft: () => void = () => {};
  #onIdle: (() => void)[] = [];

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Opens `count` connections. */
  async open(journal: Pick<Journal, "openWriter">, count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => String(index));
    this.#writers = await Promise.all(names.map((name) => journal.openWriter(name)));
    this.#free = [...this.#writers];
  }

  touch(resident: Resident): void {
    if (resident.committing) {
      this.#behind.add(resident);
      return;
    }
    if (this.#ready.size === 0) this.#readySince = performance.now();
    this.#ready.add(resident);
    this.#sendSoon();
  }

  forget(resident: Resident): void {
    this.#ready.delete(resident);
    this.#behind.delete(resident);
  }

  /** Resolves when everything pending has been written or abandoned. */
  async drain(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }

  #isIdle(): boolean {
    return this.#ready.size === 0 && this.#free.length === this.#writers.length;
  }

  /** Whether a batch is sent now. */
  #isDue(): boolean {
    if (this.#ready.size === 0 || this.#free.length === 0 || this.#fencing !== null) return false;
    return this.#awaited.size === 0 || this.#ready.size >= ENOUGH;
  }

  #sendSoon(): void {
    if (this.#scheduled || !this.#isDue()) return;
    this.#scheduled = true;
    // When the event loop has processed its queue: all events that arrived together share a batch.
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
      this.#rest();
    });
  }

  #send(): void {
    while (this.#isDue()) {
      const writer = this.#free.pop();
      if (writer !== undefined) void this.#work(writer);
    }
  }

  #rest(): void {
    if (this.#isIdle()) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Commits a batch, then sends the next. */
  async #work(writer: JournalWriter): Promise<void> {
    const patience = setTimeout(() => {
      this.#awaited.delete(writer);
      this.#sendSoon();
    }, PATIENCE_MS);
    this.#awaited.add(writer);
    try {
      await this.#commit(writer, this.#take());
      await endOfReactions();
    } catch (error) {
      setCurrentRun("");
      this.#parts.log.error("a batch was given up on a bug", { error });
    }
    clearTimeout(patience);
    this.#awaited.delete(writer);
    this.#free.push(writer);
    this.#send();
    this.#notify();
    this.#rest();
  }

  /**
   * Most transitions of the next batch. What is ready is divided among the free connections, so that the store works on
   * one part while the results of another are processed, unless the parts would be less than twice ENOUGH.
   */
  #limit(): number {
    const part = Math.ceil(this.#ready.size / (this.#free.length + 1));
    return Math.min(part >= 2 * ENOUGH ? part : this.#ready.size, MAX_BATCH * this.#share);
  }

  #take(): Entry[] {
    const { failures, observer } = this.#parts;
    const now = performance.now();
    observer.sent(now - this.#readySince);
    // What is left is ready for a moment less than that at most.
    this.#readySince = now;
    const limit = this.#limit();
    const entries: Entry[] = [];
    const unfit: { readonly entry: Entry; readonly cause: unknown }[] = [];
    let size = 0;
    for (const resident of this.#ready) {
      if (entries.length >= limit || size >= MAX_BATCH_SIZE * this.#share) break;
      this.#ready.delete(resident);
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
    if (this.#ready.size === 0) this.#ready = new Set();
    if (this.#behind.size === 0) this.#behind = new Set();
    for (const { entry, cause } of unfit) failures.poisoned(entry, cause);
    return entries;
  }

  async #commit(writer: JournalWriter, entries: readonly Entry[]): Promise<void> {
    const { clock, failures, lifecycle, unknown, observer } = this.#parts;
    let rest = entries;
    let slowTries = 0;
    for (let delay = RETRY_FIRST_MS; rest.length > 0; delay = Math.min(delay * 2, RETRY_MOST_MS)) {
      while (this.#fencing !== null) {
        this.#notify();
        await this.#fencing;
      }
      const owned = this.#dropFenced(rest);
      if (owned.length === 0) return;
      const askedAt = clock.monotonic();
      try {
        this.#inStore.add(writer);
        const written = writer.commit(
          this.#leasesOf(owned),
          owned.map((entry) => entry.transition),
        );
        // While the store works.
        this.#notify();
        const result = await written;
        this.#leaveStore(writer);
        this.#share = Math.min(1, this.#share * 2);
        clock.sample(result.now, askedAt);
        observer.answered("written", owned.length, clock.monotonic() - askedAt);
        this.#settle(owned, result);
        return;
      } catch (error) {
        this.#leaveStore(writer);
        if (!(error instanceof CommitError)) throw error;
        observer.answered(error.kind, owned.length, clock.monotonic() - askedAt);
        if (error.kind === "data" || error.kind === "gone") return this.#halve(writer, owned, error);
        if (error.kind !== "failed") this.#share = Math.max(1 / MAX_BATCH, this.#share / 2);
        if (error.kind === "unknown") {
          unknown.freeze(owned, error.cause);
          await this.#fence(owned);
          return unknown.settle(owned);
        }
        slowTries = error.kind === "slow" ? slowTries + 1 : 0;
        const [first] = owned;
        if (slowTries >= MAX_SLOW_TRIES && first !== undefined && first.transition.json.length >= LARGE_TRANSITION)
          return failures.poisoned(first, error.cause);
        rest = owned.filter((entry) => failures.unavailable(entry, error.cause));
        // A free connection tries them first.
        if (this.#free.length === 0) this.#refuseWaiting(error.cause);
        if (rest.length > 0 && lifecycle.stopping) return;
        if (rest.length > 0) await sleep(delay);
        if (error.kind === "slow" && rest.length > 1) return this.#inHalves(writer, rest);
      }
    }
  }

  #leaveStore(writer: JournalWriter): void {
    this.#inStore.delete(writer);
    if (this.#inStore.size === 0) this.#onStoreLeft();
  }

  /** Resolves when a batch in doubt is fenced. */
  #fence(entries: readonly Entry[]): Promise<void> {
    this.#inDoubt.push(...entries);
    this.#fencing ??= this.#fenceAll().finally(() => {
      this.#fencing = null;
      this.#sendSoon();
    });
    return this.#fencing;
  }

  async #fenceAll(): Promise<void> {
    if (this.#inStore.size > 0) await new Promise<void>((resolve) => (this.#onStoreLeft = resolve));
    await this.#parts.unknown.fence(this.#inDoubt.splice(0), (cause) => this.#refuseWaiting(cause));
  }

  /** The store is away: callers that wait for later batches get an error too. */
  #refuseWaiting(cause: unknown): void {
    for (const resident of [...this.#ready, ...this.#behind]) this.#parts.failures.waiting(resident, cause);
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
    const { settlement, reload } = this.#parts;
    const { resident } = entry;
    const before = setCurrentRun(resident.id);
    // A decision failed while the transition was in flight.
    const isInDoubt = resident.frozen;
    settlement.committed(entry);
    settlement.takeBacklog(entry);
    setCurrentRun(before);
    if (this.#behind.delete(resident)) this.touch(resident);
    if (isInDoubt && !resident.gone) reload.begin(resident, [], []);
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

  async #halve(writer: JournalWriter, entries: readonly Entry[], { kind, cause }: CommitError): Promise<void> {
    const { failures } = this.#parts;
    const [only, more] = entries;
    if (only === undefined || more !== undefined) return this.#inHalves(writer, entries);
    if (kind === "gone") failures.refused(only, "gone");
    else failures.poisoned(only, cause);
  }

  async #inHalves(writer: JournalWriter, entries: readonly Entry[]): Promise<void> {
    const middle = entries.length >> 1;
    await this.#commit(writer, entries.slice(0, middle));
    await this.#commit(writer, entries.slice(middle));
  }
}
