/**
 * The shard runtime: the runs in memory, what happens to them, and what follows when it is durable.
 *
 *   submit(event) → decide, absorb, settle (memory is ahead) → lane: one statement for all runs that moved → committed → effects: attempts, timers, children, answers
 *
 * Effects come after the commit only. Readers see a run only when memory and journal agree.
 */
import { ChurningMap } from "../../base/churning-map.ts";
import { toError } from "../../base/errors.ts";
import { dayOf, shardOfRun } from "../../base/ids.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import { foldJournal } from "../machine/apply.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import { openRun, type Run } from "../machine/run.ts";
import { advance } from "../machine/settle.ts";
import { isTerminalPhase } from "../machine/state.ts";
import type { Refusal, StoredRun } from "../ports/journal.ts";
import { abortAttempts } from "./attempts.ts";
import {
  type Cell,
  createCell,
  holdOutgrown,
  isClean,
  isFull,
  logFieldsOf,
  noteSize,
  type Reply,
  takeReplies,
  weigh,
} from "./cell.ts";
import { startChildRun } from "./children.ts";
import { type EffectsHost, performEffects } from "./effects.ts";
import { checkKinds, FORMAT, JOURNAL_VERSION } from "./journal-format.ts";
import { type Entry, Lane, type LaneHost } from "./lane.ts";
import { ParkedWaiters } from "./parked.ts";
import { ShardPicker } from "./pick-shard.ts";
import { type ProbationHost, recoverRun, tryEvent } from "./probation.ts";
import { type RestoreHost, resolveUnknown } from "./restore.ts";
import { type RuntimeObserver, type RuntimeParts, withCheckedReads } from "./runtime-parts.ts";
import { type TrialHost, Trials } from "./trials.ts";
import { Turns } from "./turns.ts";
import { holdAgain, isUnreadable, readRun, setRunAside } from "./unreadable.ts";
import { endPoisoned, endRefused, endUnavailable, endWaiting, quarantine } from "./unwritten.ts";
import { armTimer, type WakeHost } from "./wakes.ts";

/** The runs of this instance. */
export class Runtime implements LaneHost, EffectsHost, RestoreHost, WakeHost, TrialHost, ProbationHost {
  readonly parts: RuntimeParts;
  readonly cells = new ChurningMap<string, Cell>();
  readonly parked: ParkedWaiters;
  /** Shards of a dead owner whose runs are being taken over: no timer reads them yet. Until it is known which runs are suspects nobody touches any of them. */
  readonly adopting = new Map<number, Promise<void>>();
  readonly trials = new Trials(this);
  readonly picker = new ShardPicker();
  readonly #epochs = new Map<number, number>();
  readonly #loading = new ChurningMap<string, Promise<Cell>>();
  readonly observers: RuntimeObserver[];
  readonly #turns = new Turns(this);
  #lanes: readonly Lane[] = [];
  #owned: readonly number[] = [];
  stopping = false;
  /** The lowest version of the journal's format that a living instance reads: nothing newer is written. */
  writes = JOURNAL_VERSION;
  /** No attempt begins any more, and callers who wait for the end of a run are answered at once: see drain.ts. */
  draining = false;
  /** New runs start elsewhere: this instance gives its shards back. */
  leaving = false;
  /** Takes free shards now, `wanted` above all; the keeper's. */
  look: (wanted?: number) => Promise<void> = () => Promise.resolve();

  constructor(parts: RuntimeParts) {
    this.parts = withCheckedReads(parts);
    this.parked = new ParkedWaiters(parts.shards);
    this.observers = [...parts.observers];
  }

  /** One more that hears of what becomes durable, from now on. */
  observe(observer: RuntimeObserver): void {
    this.observers.push(observer);
  }

  async open(): Promise<void> {
    const { journal, lanes, log } = this.parts;
    const open = async (index: number) => new Lane(index, await journal.openLane(String(index)), this, log);
    this.#lanes = await Promise.all(Array.from({ length: lanes }, (_, index) => open(index)));
  }

  get owned(): readonly number[] {
    return this.#owned;
  }

  /** Now, no earlier than the database's clock. */
  now(): number {
    return this.parts.clock.now();
  }

  until(at: number): number {
    return this.parts.clock.until(at);
  }

  monotonic(): number {
    return this.parts.clock.monotonic();
  }

  epochOf(shard: number): number | undefined {
    return this.#epochs.get(shard);
  }

  sampleClock(databaseNow: number, askedAt: number): void {
    this.parts.clock.sample(databaseNow, askedAt);
  }

  /** Takes note of the leases that are held now; runs of lost shards leave memory. An epoch that we raised after the leases were read stays. */
  setLeases(held: readonly { readonly shard: number; readonly epoch: number }[]): void {
    const now = new Map(held.map((lease) => [lease.shard, lease.epoch]));
    for (const shard of this.#epochs.keys()) if (!now.has(shard)) this.loseShard(shard);
    for (const [shard, epoch] of now) this.#epochs.set(shard, Math.max(epoch, this.#epochs.get(shard) ?? 0));
    this.#owned = [...this.#epochs.keys()].sort((a, b) => a - b);
  }

  /** A shard for a new run; undefined when this instance owns none or gives back what it owns. */
  pickShard(): number | undefined {
    return this.leaving ? undefined : this.picker.pick(this.#owned, this.#lanes.length);
  }

  laneOf(shard: number): Lane {
    const lane = this.#lanes[shard % this.#lanes.length];
    if (lane === undefined) throw new Error("the runtime is not open");
    return lane;
  }

  /** Begins a run that is not in memory. Resolves when it is durable; rejects with {@link StartTaken} when a key, id or run key was taken. */
  begin(
    runId: string,
    shard: number,
    run: Run,
    event: RunEvent,
    keys: Cell["keys"],
  ): { readonly cell: Cell; readonly done: Promise<void> } {
    const cell = createCell(runId, shard, this.laneOf(shard), dayOf(event.at), run);
    cell.keys = keys;
    cell.inHand = true;
    this.cells.set(runId, cell);
    return { cell, done: this.submit(cell, event) };
  }

  /** Gives an event to a run. Resolves when what came of it is durable. */
  submit(cell: Cell, event: RunEvent): Promise<void> {
    return new Promise((resolve, reject) => this.post(cell, event, { resolve, reject }));
  }

  /** Gives an event to a run; a suspect takes it when it is its turn. Without `reply` nobody waits for it. */
  post(cell: Cell, event: RunEvent, reply: Reply | null = null): void {
    if (cell.suspect && !cell.gone) tryEvent(this, cell, event, reply);
    else this.decide(cell, event, reply);
  }

  /** Decides an event; `reply` hears when what came of it is durable. */
  decide(cell: Cell, event: RunEvent, reply: Reply | null): void {
    if (isFull(cell) && !cell.gone) cell.backlog.push({ event, reply });
    else this.decideNow(cell, event, reply);
  }

  /** Decides the events that waited behind a full move, as far as the next one goes. */
  takeBacklog(cell: Cell): void {
    const { backlog } = cell;
    if (backlog.length > 0) cell.backlog = [];
    for (const { event, reply } of backlog) this.decide(cell, event, reply);
  }

  /** Decides an event, however much is pending. */
  decideNow(cell: Cell, event: RunEvent, reply: Reply | null): void {
    if (cell.gone) {
      reply?.reject(toError("RUN_MOVED", { runId: cell.runId }));
      return;
    }
    if (cell.frozen) {
      cell.backlog.push({ event, reply });
      return;
    }
    cell.touchedAt = event.at;
    // What the database holds against its clock is the time of the timer: the time of the event may be ahead, when the clock was set back.
    const dueAt = event.type === "due" ? nextDueAt(cell.run) : null;
    let records: JournalRecord[];
    try {
      records = advance(cell.run, event, this.#turns.take());
      if (this.writes < FORMAT.version) checkKinds(records, this.writes);
    } catch (error) {
      quarantine(this, cell, error, reply);
      return;
    }
    if (records.length === 0) {
      this.#turns.queue(cell);
      // Nothing came of it, but what it was judged by may not be durable yet.
      if (isClean(cell)) reply?.resolve();
      else if (reply !== null) (cell.pending.length > 0 ? cell.replies : cell.flight).push(reply);
      return;
    }
    // Mostly there is one event to a move: an array that grows keeps room for 17.
    if (cell.pending.length === 0) cell.pending = records;
    else for (const record of records) cell.pending.push(record);
    weigh(cell, event);
    if (cell.events.length === 0) cell.events = [event];
    else cell.events.push(event);
    if (dueAt !== null) cell.dueAt = Math.max(cell.dueAt, dueAt);
    if (reply !== null) {
      if (cell.replies.length === 0) cell.replies = [reply];
      else cell.replies.push(reply);
    }
    cell.lane.touch(cell);
  }

  /** Resolves when the run may be read: a suspect is not before it has been tried. */
  async untouched(runId: string): Promise<void> {
    if (this.adopting.size > 0) await this.adopting.get(shardOfRun(runId, this.parts.shards));
    await this.trials.untouched(runId);
  }

  /** The cell of a run, read from the store if need be. Errors: RUN_NOT_FOUND, RUN_MOVED when another instance owns it. */
  async cellOf(runId: string): Promise<Cell> {
    const known = this.cells.get(runId);
    if (known !== undefined && !known.suspect) return known;
    await this.untouched(runId);
    return this.openCell(runId);
  }

  /** The same for a suspect that is being tried. */
  async openCell(runId: string): Promise<Cell> {
    const known = this.cells.get(runId);
    if (known !== undefined) return known;
    const loading = this.#loading.get(runId) ?? this.#load(runId);
    this.#loading.set(runId, loading);
    try {
      return await loading;
    } catch (error) {
      if (isUnreadable(error)) await setRunAside(this, runId, error);
      throw error;
    } finally {
      this.#loading.delete(runId);
    }
  }

  async #load(runId: string): Promise<Cell> {
    const shard = shardOfRun(runId, this.parts.shards);
    const epoch = this.#epochs.get(shard);
    if (epoch === undefined) throw toError("RUN_MOVED", { runId });
    const stored = await readRun(runId, () => this.parts.journal.loadRun(runId));
    if (stored === null) throw toError("RUN_NOT_FOUND", { runId });
    const run = await this.openStored(stored);
    const known = this.cells.get(runId);
    if (known !== undefined) return known;
    // Another owner may have moved the run since it was read.
    if (this.#epochs.get(shard) !== epoch) throw toError("RUN_MOVED", { runId });
    const cell = createCell(runId, shard, this.laneOf(shard), stored.day, run);
    noteSize(cell, stored.size);
    this.parked.giveBack(cell, isTerminalPhase(run.state.phase));
    cell.shown = { state: stored.header.state, moving: stored.moving, wakeAt: stored.wakeAt };
    cell.touchedAt = this.now();
    if (!isTerminalPhase(run.state.phase)) {
      this.cells.set(runId, cell);
      this.arm(cell);
      holdAgain(this, cell, stored);
    }
    return cell;
  }

  /** State and plan of a stored run. Error: RUN_UNREADABLE. */
  openStored(stored: StoredRun): Promise<Run> {
    return readRun(stored.runId, async () => {
      const state = foldJournal(stored.runId, stored.records);
      return openRun(state, await this.parts.flows.planByHash(state.tenantId, state.flowId, state.hash));
    });
  }

  committed(entry: Entry): void {
    const { cell, move } = entry;
    cell.flying = false;
    cell.started = true;
    cell.keys = [];
    const { phase } = cell.run.state;
    entry.isLast = isTerminalPhase(phase) && cell.pending.length === 0;
    try {
      failPoint("effects.before", cell.runId);
      // Written just before its shard was lost: what follows is the business of the new owner, who reads it.
      if (!cell.gone) performEffects(this, cell, move.records, move.sequence);
    } catch (error) {
      this.parts.log.error("what follows a commit failed", { ...logFieldsOf(cell), error });
    }
    const hold = holdOutgrown(cell, move.json.length, this.now());
    // Before the events that wait behind a full move: they make it larger still.
    if (hold !== null) this.decideNow(cell, hold, null);
    if (!entry.isLast) this.arm(cell);
  }

  told({ cell, move, replies, isLast }: Entry): void {
    try {
      for (const observer of this.observers) observer.committed(cell.run, move.records, move.sequence);
      for (const watcher of cell.watchers) watcher(move.records, move.sequence);
    } catch (error) {
      this.parts.log.error("what follows a commit failed", { ...logFieldsOf(cell), error });
    }
    if (isLast) {
      // What waited behind a full move changes nothing any more.
      for (const reply of takeReplies(cell)) reply.resolve();
      // Watches have its last records now, and need not ask the journal for them.
      this.drop(cell);
      this.trials.clear(cell.runId, cell.shard);
    }
    failPoint("answer.before");
    for (const reply of replies) reply.resolve();
    failPoint("answer.after");
  }

  refused(entry: Entry, why: Refusal["why"]): void {
    endRefused(this, entry, why);
  }

  poisoned(entry: Entry, cause: unknown): void {
    endPoisoned(this, entry, cause);
  }

  unavailable(entry: Entry, cause: unknown): boolean {
    return endUnavailable(this, entry, cause);
  }

  waitsInVain(cell: Cell, cause: unknown): void {
    endWaiting(this, cell, cause);
  }

  unknown(lane: Lane, entries: readonly Entry[], cause: unknown): Promise<void> {
    const fields = { lane: lane.index, moves: entries.length, error: cause };
    this.parts.log.warn("the outcome of a batch is unknown; its shards are fenced and read again", fields);
    return resolveUnknown(this, lane, entries);
  }

  recover(cell: Cell, clean: boolean): Promise<void> {
    return recoverRun(this, cell, clean);
  }

  /** Drops a cell from memory. Nobody will hear of anything here any more: those who wait or watch look into the journal. */
  drop(cell: Cell): void {
    cell.gone = true;
    cell.lane.forget(cell);
    if (cell.timer !== null) clearTimeout(cell.timer);
    cell.timer = null;
    // A cell that was lost may have been read anew since.
    if (this.cells.get(cell.runId) === cell) this.cells.delete(cell.runId);
    for (const wake of [...cell.waiters]) wake(cell);
    for (const watcher of cell.watchers) watcher([], 0);
  }

  /** The shard is no longer ours: its runs leave memory, those who wait are told. */
  loseShard(shard: number): void {
    this.#epochs.delete(shard);
    this.#owned = this.#owned.filter((owned) => owned !== shard);
    for (const cell of this.cells.values()) {
      if (cell.shard !== shard) continue;
      this.drop(cell);
      abortAttempts(cell);
      for (const reply of takeReplies(cell)) reply.reject(toError("RUN_MOVED", { runId: cell.runId }));
    }
    this.parked.wake(shard);
  }

  /** Arms the next timer of a cell, and its next turn. */
  arm(cell: Cell): void {
    this.#turns.queue(cell);
    armTimer(this, cell);
  }

  shardsOf(lane: Lane): readonly number[] {
    return this.#owned.filter((shard) => this.laneOf(shard) === lane);
  }

  /** Takes note of an epoch that we raised ourselves; late news of a shard that was lost meanwhile are dropped. */
  setEpoch(shard: number, epoch: number): void {
    if (epoch > (this.#epochs.get(shard) ?? Number.POSITIVE_INFINITY)) this.#epochs.set(shard, epoch);
  }

  /** Starts the child run that a task waits for; if it exists, takes note of its end. */
  startChild(parent: Cell, path: string, childId: string): void {
    parent.startingChildren += 1;
    void startChildRun(this, parent, path, childId).finally(() => {
      parent.startingChildren -= 1;
    });
  }

  /** Waits until all that was decided is durable, then closes the lanes. */
  async close(): Promise<void> {
    this.stopping = true;
    await this.trials.drain();
    await Promise.all(this.#lanes.map((lane) => lane.drain()));
    for (const cell of [...this.cells.values()]) {
      abortAttempts(cell);
      this.drop(cell);
    }
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}
