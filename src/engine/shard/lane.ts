/**
 * A lane: one line of group commit for a part of the shards.
 *
 *   idle ──touch──→ collecting (until the event loop has worked off what is there) ──→ committing ──→ collecting … while cells are dirty, else idle
 *
 * While one batch is in flight the next fills: no timer, no tuning. When it comes back, what its moves ask for begins; runs that go on without waiting for anything
 * outside are in the next batch, which is sent before anybody is told of this one: the store does not wait for callers. A batch is bounded by moves and by
 * size; the move of a run that is full (`isFull`) keeps later events of that run waiting. What it cannot write ends in one of five ways:
 *   data     the batch is halved until the guilty run stands alone; it is put into quarantine
 *   slow     it was too much for the store: like `failed`, but tried again in halves, and batches stay smaller until one comes through
 *   failed   nothing was written: starts are given back to their callers, the moves of known runs are tried again until the store is back
 *   unknown  the epochs of the lane's shards are raised, which waits the old statement out; what was written is read back, the rest decided again
 *            (while the store is away, callers of either kind are told so, and those who wait behind them)
 *   refused  single moves: fenced (shard lost), taken (start key known), early (timer ahead of the database's clock)
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import { takeInHand } from "../../base/process/in-hand.ts";
import type { RunEvent } from "../machine/events.ts";
import { CommitError, type CommitResult, type JournalLane, type Move, type Refusal } from "../ports/journal.ts";
import type { Lease } from "../ports/leases.ts";
import type { ProjectedRows } from "../ports/projections.ts";
import type { Cell, CommitLine, Reply } from "./cell.ts";
import { createMove, firstSequenceOf } from "./moves.ts";
import type { RuntimeParts } from "./runtime-parts.ts";

/** A move on its way to the journal, with all that is needed should it be lost. */
export interface Entry {
  readonly cell: Cell;
  readonly move: Move;
  readonly events: readonly RunEvent[];
  readonly replies: Reply[];
  /** Known when the move is durable: the run has ended with it. */
  isLast: boolean;
}

/** What a lane needs of the runtime around it. */
export interface LaneHost {
  readonly parts: Pick<RuntimeParts, "rowsOf">;
  epochOf(shard: number): number | undefined;
  /** The move is durable: what it asks for begins. */
  committed(entry: Entry): void;
  /** Once after {@link committed}: callers, watchers, log and metrics hear of it. */
  told(entry: Entry): void;
  /** Decides the events that waited behind a full move, as far as the next one goes. */
  takeBacklog(cell: Cell): void;
  refused(entry: Entry, why: Refusal["why"]): void;
  /** The store will not take the move of this run, whatever is tried. */
  poisoned(entry: Entry, cause: unknown): void;
  /** The store cannot be reached; the move was not written. Returns true to try it again. */
  unavailable(entry: Entry, cause: unknown): boolean;
  /** The store cannot be reached, and this cell waits behind what could not be written. */
  waitsInVain(cell: Cell, cause: unknown): void;
  /** Nobody knows what was written. Resolves when it is known and acted upon. */
  unknown(lane: Lane, entries: readonly Entry[], cause: unknown): Promise<void>;
  /** The monotonic clock that {@link sampleClock} wants, milliseconds. */
  monotonic(): number;
  sampleClock(databaseNow: number, askedAt: number): void;
  readonly stopping: boolean;
}

const NO_ROWS: readonly never[] = [];

/** Most moves in one batch: keeps statements and their answers small. */
const MAX_BATCH = 2_000;

/** Most characters of records in one batch. A single move may have more. */
const MAX_BATCH_SIZE = 16_777_216;

/** A move of this size that the store has no time for, alone and again and again, is what takes the time. */
const LARGE_MOVE = 1_048_576;
const MAX_SLOW_TRIES = 5;

const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 2_000;

/** Resolves when the event loop has worked off what is there. */
const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when all that follows without waiting for anything outside has happened. */
const endOfReactions = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** One line of group commit. */
export class Lane implements CommitLine {
  readonly index: number;
  readonly #journal: JournalLane;
  readonly #host: LaneHost;
  readonly #log: Log;
  /** Cells with something pending. A new set whenever it is empty: one that lives long keeps what was ever in it from the collector (see ChurningMap). */
  #dirty = new Set<Cell>();
  /** Written, and nobody has been told yet. */
  #untold: Entry[] = [];
  #active = false;
  /** Part of the largest batch that is tried: halved when one was too much, doubled when one came through. */
  #share = 1;
  #idle: (() => void)[] = [];

  constructor(index: number, journal: JournalLane, host: LaneHost, log: Log) {
    this.index = index;
    this.#journal = journal;
    this.#host = host;
    this.#log = log;
  }

  /** Cells whose moves wait for the next batch. */
  get backlog(): number {
    return this.#dirty.size;
  }

  /** The cell has something pending. */
  touch(cell: Cell): void {
    this.#dirty.add(cell);
    if (this.#active) return;
    this.#active = true;
    // All events that arrived together share a batch.
    void endOfTurn().then(() => this.#work());
  }

  /** Forgets what the cell has pending. */
  forget(cell: Cell): void {
    this.#dirty.delete(cell);
  }

  /** The store is away: nobody who waits for a later batch is left without an answer. */
  refuseWaiting(cause: unknown): void {
    for (const cell of [...this.#dirty]) this.#host.waitsInVain(cell, cause);
  }

  /** Resolves when everything that was pending has been written or given up. */
  async drain(): Promise<void> {
    if (!this.#active) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Closes the connection. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  async #work(): Promise<void> {
    try {
      while (this.#dirty.size > 0) {
        await this.#commit(this.#take());
        await endOfReactions();
      }
    } catch (error) {
      this.#log.error("a lane stopped on a bug", { lane: this.index, error });
    } finally {
      takeInHand("");
      this.#tell();
      this.#active = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      const [next] = this.#dirty;
      if (next !== undefined) this.touch(next);
    }
  }

  #take(): Entry[] {
    const entries: Entry[] = [];
    const unfit: { readonly entry: Entry; readonly cause: unknown }[] = [];
    let size = 0;
    for (const cell of this.#dirty) {
      if (entries.length >= MAX_BATCH * this.#share || size >= MAX_BATCH_SIZE * this.#share) break;
      this.#dirty.delete(cell);
      if (cell.pending.length === 0 || cell.gone || cell.frozen) continue;
      let json = "";
      let rows: readonly ProjectedRows[] = NO_ROWS;
      let cause: unknown = null;
      takeInHand(cell.runId);
      try {
        json = JSON.stringify(cell.pending);
        rows = this.#host.parts.rowsOf(cell.run, cell.pending, firstSequenceOf(cell));
      } catch (error) {
        // A value that is no JSON, too much for one text, or a projection that cannot be made.
        cause = error;
      }
      size += json.length;
      const entry: Entry = {
        cell,
        move: createMove(cell, json, rows),
        events: cell.events,
        replies: cell.replies,
        isLast: false,
      };
      cell.pending = [];
      cell.pendingSize = 0;
      cell.events = [];
      cell.replies = [];
      cell.dueAt = 0;
      cell.flying = true;
      cell.flight = entry.replies;
      if (cause === null) entries.push(entry);
      else unfit.push({ entry, cause });
    }
    takeInHand("");
    if (this.#dirty.size === 0) this.#dirty = new Set();
    for (const { entry, cause } of unfit) this.#host.poisoned(entry, cause);
    return entries;
  }

  async #commit(entries: readonly Entry[]): Promise<void> {
    let rest = entries;
    let slowTries = 0;
    for (let delay = RETRY_FIRST_MS; rest.length > 0; delay = Math.min(delay * 2, RETRY_MOST_MS)) {
      const owned = this.#dropFenced(rest);
      if (owned.length === 0) return;
      try {
        const askedAt = this.#host.monotonic();
        const written = this.#journal.commit(
          this.#leasesOf(owned),
          owned.map((entry) => entry.move),
        );
        // While the store works.
        this.#tell();
        const result = await written;
        this.#share = Math.min(1, this.#share * 2);
        this.#host.sampleClock(result.now, askedAt);
        this.#settle(owned, result);
        return;
      } catch (error) {
        if (!(error instanceof CommitError)) throw error;
        if (error.kind === "data") return this.#halve(owned, error.cause);
        if (error.kind !== "failed") this.#share = Math.max(1 / MAX_BATCH, this.#share / 2);
        if (error.kind === "unknown") return this.#host.unknown(this, owned, error.cause);
        slowTries = error.kind === "slow" ? slowTries + 1 : 0;
        const [first] = owned;
        if (slowTries >= MAX_SLOW_TRIES && first !== undefined && first.move.json.length >= LARGE_MOVE)
          return this.#host.poisoned(first, error.cause);
        rest = owned.filter((entry) => this.#host.unavailable(entry, error.cause));
        this.refuseWaiting(error.cause);
        if (rest.length > 0 && this.#host.stopping) return;
        if (rest.length > 0) await sleep(delay);
        if (error.kind === "slow" && rest.length > 1) return this.#inHalves(rest);
      }
    }
  }

  #dropFenced(entries: readonly Entry[]): readonly Entry[] {
    const lost = entries.filter(({ cell }) => cell.gone || this.#host.epochOf(cell.shard) === undefined);
    for (const entry of lost) this.#host.refused(entry, "fenced");
    return lost.length === 0 ? entries : entries.filter((entry) => !lost.includes(entry));
  }

  #leasesOf(entries: readonly Entry[]): Lease[] {
    const leases = new Map<number, Lease>();
    for (const { cell } of entries) {
      const epoch = this.#host.epochOf(cell.shard);
      if (epoch !== undefined && !leases.has(cell.shard)) leases.set(cell.shard, { shard: cell.shard, epoch });
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
      const why = refused.get(entry.cell.runId);
      if (why === undefined) this.#committed(entry);
      else this.#host.refused(entry, why);
    }
  }

  #committed(entry: Entry): void {
    const before = takeInHand(entry.cell.runId);
    this.#host.committed(entry);
    this.#host.takeBacklog(entry.cell);
    takeInHand(before);
    this.#untold.push(entry);
  }

  /** Tells of the moves that were written last. */
  #tell(): void {
    const entries = this.#untold;
    if (entries.length === 0) return;
    this.#untold = [];
    for (const entry of entries) {
      try {
        takeInHand(entry.cell.runId);
        this.#host.told(entry);
      } catch (error) {
        // Whoever failed to listen: the next batch is under way, and must be waited for.
        this.#log.error("telling of a move failed", { runId: entry.cell.runId, error });
      }
    }
    takeInHand("");
  }

  async #halve(entries: readonly Entry[], cause: unknown): Promise<void> {
    const [only] = entries;
    if (entries.length === 1 && only !== undefined) return this.#host.poisoned(only, cause);
    return this.#inHalves(entries);
  }

  async #inHalves(entries: readonly Entry[]): Promise<void> {
    const middle = entries.length >> 1;
    await this.#commit(entries.slice(0, middle));
    await this.#commit(entries.slice(middle));
  }
}
