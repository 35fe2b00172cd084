/**
 * Matches the waiting tasks of this instance with free slots.
 *
 *   a task becomes ready   a slot is free and no task waits before it → reserved in the same transition, else it waits
 *   a slot becomes free    the next waiting task that its worker can do is handed out; or the slot is lent to another
 *                          instance, if a task that comes first waits there
 */
import type { Log } from "../../base/log.ts";
import type {
  HandOvers,
  LabeledLine,
  Line,
  ReadyTask,
  Slot,
  Takers,
  WaitingTaskStore,
} from "../ports/dispatch/hand-overs.ts";
import type { Want } from "../ports/dispatch/peers.ts";
import type { KnownSettings, QueueSettings } from "../ports/dispatch/queues.ts";
import type { Lifecycle } from "../shard/lifecycle.ts";
import { Session } from "./session.ts";
import type { Taker } from "./taker.ts";
import { keyOf, WaitingTasks } from "./waiting-tasks.ts";

/** The other instances, which borrow and lend slots. */
export interface Neighbours {
  /** Lends a free slot to an instance where a task waits that comes before `head`. False if there is none. */
  lend(session: Session, head: ReadyTask | null): boolean;
  /** Whether workers of other instances serve a line. */
  serve(line: Line): boolean;
  /** What waits here in a line has changed, and no worker here takes it. */
  waits(line: Line): void;
  /** Another instance asks for a slot. */
  requestedBy(line: Line, wanter: unknown): void;
  /** The lines that workers here serve have changed. */
  servedChanged(): void;
  /** The store may have waiting tasks that this instance has not seen. */
  shardsChanged(): void;
}

export interface DispatcherParts {
  readonly store: WaitingTaskStore;
  readonly shards: { readonly owned: readonly number[] };
  readonly lifecycle: Lifecycle;
  readonly settings: KnownSettings;
  readonly log: Log;
}

/** Matches tasks with workers. */
export class Dispatcher implements Takers {
  readonly isOpen = true;
  /** Lines that workers here serve. */
  readonly served = new Map<string, Line>();
  readonly #parts: DispatcherParts;
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #waiting: WaitingTasks;
  /** By the key of each line that they serve. */
  readonly #takers = new Map<string, Set<Taker>>();
  /** Takers whose slots are being filled; true: they have more free slots since. */
  readonly #filling = new Map<Taker, boolean>();
  #handOvers: HandOvers | null = null;
  #neighbours: Neighbours | null = null;

  constructor(parts: DispatcherParts) {
    const { store, shards, lifecycle, log } = parts;
    this.#parts = parts;
    this.#lifecycle = lifecycle;
    this.#log = log;
    this.#waiting = new WaitingTasks(store, shards);
  }

  /** Tasks are handed out from now on. */
  start(handOvers: HandOvers, neighbours: Neighbours): void {
    this.#handOvers = handOvers;
    this.#neighbours = neighbours;
  }

  reserve(task: ReadyTask): Slot | null {
    if (this.#lifecycle.draining || this.#isDeferred(task) || this.#waiting.hasBefore(task)) return null;
    return this.#freest(task)?.reserve() ?? null;
  }

  waits(task: ReadyTask): void {
    // It enters the queue when that is resumed.
    if (this.#isDeferred(task)) return;
    this.#waiting.add(task);
    const taker = this.#freest(task);
    if (taker !== null) this.fill(taker);
    else if (this.#neighbours?.serve(task) === true && this.isLow(task)) void this.loadHeads(task);
    else this.#neighbours?.waits(task);
  }

  look(): void {
    this.#lookAt(() => true);
  }

  /** Settings of these queues have changed, or what waits in them because of that. */
  settled(queues: readonly { readonly tenantId: string; readonly queue: string }[]): void {
    const names = new Set(queues.map(({ tenantId, queue }) => `${queue} ${tenantId}`));
    if (names.size > 0) this.#lookAt(({ tenantId, queue }) => names.has(`${queue} ${tenantId}`));
  }

  /** What waits in a line, by labels. */
  wantsOf(line: Line): readonly Want[] {
    const { tenantId, queue, handler } = line;
    const isClosed = this.#lifecycle.draining || !this.#isOpen(line);
    return [...this.#waiting.headsOf(line)].map(({ labels, first, count }) => ({
      ...{ tenantId, queue, handler, labels },
      ...(isClosed || first === null
        ? { count: 0, priority: 0, turn: 0 }
        : { count, priority: first.priority, turn: first.turn }),
    }));
  }

  /** The first task that a taker can do. */
  headOf(taker: Taker): ReadyTask | null {
    return this.#lifecycle.draining ? null : this.#waiting.peek(this.linesOf(taker), taker.skills);
  }

  /** The lines from which a taker may get tasks now. */
  linesOf({ skills: { lines, buildId } }: Taker): readonly Line[] {
    const { settings } = this.#parts;
    return settings.isEmpty ? lines : lines.filter((line) => isHandedOut(settings.of(line), buildId));
  }

  /** Whether tasks of the line wait in the store that should be read. */
  isLow(line: Line): boolean {
    return this.#waiting.isLow(line);
  }

  /** Whether a worker, here or at another instance, can do the tasks of a line. */
  isServed(line: LabeledLine): boolean {
    const settings = this.#parts.settings.of(line);
    const pins = settings?.buildIds ?? [];
    for (const { isHere, skills } of this.#takers.get(keyOf(line)) ?? [])
      if (isHere && skills.has(line.labels) && (pins.length === 0 || pins.includes(skills.buildId))) return true;
    // Other instances tell which lines they serve, and not what else their workers can do.
    return this.#neighbours?.serve(line) === true;
  }

  /** Reads what waits in a line that workers at another instance serve. */
  async loadHeads(line: Line): Promise<void> {
    try {
      if (this.#waiting.isLow(line)) await this.#waiting.fill(line);
      this.#neighbours?.waits(line);
    } catch (error) {
      // Repeated with the next task that waits in the line, and with the next announcement of the other instance.
      this.#log.warn("waiting tasks could not be read", { queue: line.queue, handler: line.handler, error });
    }
  }

  /** A task waits at another instance. */
  requestedElsewhere(line: LabeledLine, wanter: unknown): void {
    let isFree = false;
    for (const taker of this.#takers.get(keyOf(line)) ?? []) {
      isFree ||= taker.isHere && taker.free > 0 && taker.skills.has(line.labels);
      this.fill(taker);
    }
    if (!isFree) this.#neighbours?.requestedBy(line, wanter);
  }

  /** How many lines workers here would serve with this one. */
  countWith({ skills: { lines } }: Taker): number {
    const added = new Set(lines.map(keyOf).filter((key) => !this.served.has(key)));
    return this.served.size + added.size;
  }

  add(taker: Taker): void {
    let isNew = false;
    for (const line of taker.skills.lines) {
      const key = keyOf(line);
      const takers = this.#takers.get(key) ?? new Set();
      this.#takers.set(key, takers.add(taker));
      if (!taker.isHere || this.served.has(key)) continue;
      this.served.set(key, line);
      isNew = true;
    }
    if (isNew) this.#neighbours?.servedChanged();
  }

  remove(taker: Taker): void {
    let isOver = false;
    for (const line of taker.skills.lines) {
      const key = keyOf(line);
      const takers = this.#takers.get(key);
      takers?.delete(taker);
      if (takers?.size === 0) this.#takers.delete(key);
      if (!taker.isHere || hasOneHere(takers)) continue;
      this.served.delete(key);
      isOver = true;
    }
    if (isOver) this.#neighbours?.servedChanged();
  }

  /** Fills the free slots of a taker with waiting tasks. */
  fill(taker: Taker): void {
    if (taker.free === 0) return;
    if (this.#filling.has(taker)) {
      this.#filling.set(taker, true);
      return;
    }
    this.#filling.set(taker, false);
    void this.#fill(taker)
      .catch((error: unknown) => this.#log.warn("waiting tasks could not be handed out", { error }))
      .finally(() => {
        const again = this.#filling.get(taker) === true;
        this.#filling.delete(taker);
        if (again) this.fill(taker);
      });
  }

  async #fill(taker: Taker): Promise<void> {
    const { skills } = taker;
    while (taker.free > 0 && !this.#lifecycle.draining) {
      const low = this.linesOf(taker).filter((line) => this.#waiting.isLow(line, skills));
      if (low.length > 0) await Promise.all(low.map((line) => this.#waiting.fill(line, skills)));
      if (taker.free === 0) return;
      const lines = this.linesOf(taker);
      const head = this.#waiting.peek(lines, skills);
      if (taker instanceof Session && this.#neighbours?.lend(taker, head) === true) continue;
      const task = this.#waiting.take(lines, skills);
      if (task === null) return;
      this.#handOver(task, taker.reserve());
    }
  }

  #handOver(task: ReadyTask, slot: Slot): void {
    const { runId, path } = task;
    const handing = this.#handOvers?.handOver(task, slot) ?? Promise.resolve(false);
    handing.then(
      (taken) => {
        if (!taken) slot.release();
      },
      (error: unknown) => {
        slot.release();
        this.#log.warn("a waiting task could not be handed out", { runId, task: path, error });
      },
    );
  }

  /** The best taker with free slots that can do the task. */
  #freest(task: ReadyTask): Taker | null {
    const settings = this.#parts.settings.of(task);
    let freest: Taker | null = null;
    for (const taker of this.#takers.get(keyOf(task)) ?? []) {
      const { skills } = taker;
      if (taker.free === 0 || !skills.has(task.labels) || !isHandedOut(settings, skills.buildId)) continue;
      if (freest === null || isBetter(taker, freest)) freest = taker;
    }
    return freest;
  }

  #lookAt(isMeant: (line: Line) => boolean): void {
    this.#waiting.forget(isMeant);
    for (const takers of this.#takers.values()) for (const taker of takers) this.fill(taker);
    this.#neighbours?.shardsChanged();
  }

  #isOpen(line: Line): boolean {
    return (this.#parts.settings.of(line)?.pause ?? null) === null;
  }

  /** The statement that makes the task wait decides by the same rule. */
  #isDeferred(task: ReadyTask): boolean {
    const drain = this.#parts.settings.of(task)?.drain ?? null;
    return drain !== null && task.since > drain.since;
  }
}

/** Whether a worker of this build may get tasks of a queue with the settings. */
function isHandedOut(settings: QueueSettings | undefined, buildId: string): boolean {
  if (settings === undefined) return true;
  return settings.pause === null && (settings.buildIds.length === 0 || settings.buildIds.includes(buildId));
}

/** One that acknowledges what it gets; a worker here; the one with the most free slots. */
function isBetter(a: Taker, b: Taker): boolean {
  if (a.isDoubtful !== b.isDoubtful) return b.isDoubtful;
  return a.isHere === b.isHere ? a.free > b.free : a.isHere;
}

function hasOneHere(takers: ReadonlySet<Taker> = new Set()): boolean {
  for (const { isHere } of takers) if (isHere) return true;
  return false;
}
