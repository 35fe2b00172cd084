/**
 * Trials: after the death of an owner, the runs that it may have had in hand are touched one after the other, each named in the store first. So the run that
 * kills whoever touches it is found, whatever others were under way.
 *
 *   moving or overdue when its owner died → suspect ──taken over, alone and named──→ on probation ──its next progress, alone and named──→ cleared
 *                                              │                                        │
 *                                              └──── the owner dies meanwhile: a death against this run at this moment ────┘
 *   two deaths in a row at the same moment, or named by the watchdog → quarantine, before anybody touches it again
 *
 * *In hand* is the time from the name in the store until the commit, what follows from it at once, and one turn of the event loop. It is a few milliseconds long. A
 * death counts only against a run that was alone in hand, and a trial that passes takes the deaths at its moment away: a process may be killed
 * any number of times, and an innocent run is held only when two kills in a row hit the milliseconds of its own trial. A run with a death is tried after a
 * random pause and behind the others, so that even a killer with a steady pace does not hit it twice.
 *
 * Where very many wait to be tried, several are named together and go at once; a death then only marks them, and the marked ones are tried alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import type { RunEvent } from "../machine/events.ts";
import type { Journal, Suspect, Trial } from "../ports/journal.ts";
import type { Lease } from "../ports/leases.ts";
import { insist } from "./insist.ts";

/** Deaths in a row, alone in hand at the same moment, that put a run into quarantine. The death before them made it a suspect: three in all. */
export const MAX_DEATHS = 2;

/** While at most so many wait, each is tried alone. */
const ALONE_MOST = 500;

/** How many are tried together when more wait. */
const GROUP = 64;

/** A run with a death is tried after a pause of up to this long, milliseconds. */
const PAUSE_MS = 5_000;

/** A trial that takes longer waits for something outside: the others go on. */
const PATIENCE_MS = 10_000;

/** The moment at which a run is taken over. */
const TAKEOVER = "takeover";

/** What trials need of the runtime. */
export interface TrialHost {
  readonly parts: {
    readonly log: Log;
    readonly journal: Pick<Journal, "nameSuspects">;
    readonly suspectPauseMs?: number;
  };
  readonly stopping: boolean;
  readonly draining: boolean;
  epochOf(shard: number): number | undefined;
}

/** A trial that waits for its turn. */
interface Waiting extends Trial {
  /** Touches the run; resolves when what came of it is durable, and never rejects. */
  readonly work: () => Promise<void>;
  readonly done: PromiseWithResolvers<void>;
}

/** Name of the moment at which a run takes an event. */
export function momentOf(event: RunEvent): string {
  return "task" in event ? `${event.type}:${event.task}` : event.type;
}

/** The line of suspects of one instance. */
export class Trials {
  readonly #host: TrialHost;
  readonly #waiting = new Set<Waiting>();
  /** Those for whom somebody waits. */
  readonly #urgent = new Set<Waiting>();
  /** Takeovers that are not over, by run: nobody else may touch these runs. */
  readonly #takeovers = new Map<string, Waiting>();
  /** Moments at which owners died before, by run. */
  readonly #marks = new Map<string, Set<string>>();
  /** The last trial of each marked run: their events stay in order. */
  readonly #last = new Map<string, Promise<void>>();
  #passed: Trial[] = [];
  #running: Promise<void> | null = null;
  #paused = 0;

  constructor(host: TrialHost) {
    this.#host = host;
  }

  /** Takes note of what owners before have died at. */
  mark(suspects: readonly Suspect[]): void {
    for (const { runId, moment } of suspects) {
      const moments = this.#marks.get(runId) ?? new Set();
      this.#marks.set(runId, moments.add(moment));
    }
  }

  /** Tries the takeover of a run. Until it is over {@link untouched} keeps everybody else from the run. */
  takeOver(runId: string, shard: number, work: () => Promise<void>): Promise<void> {
    const trial = this.#add({ runId, shard, moment: TAKEOVER }, work);
    this.#takeovers.set(runId, trial);
    return trial.done.promise.finally(() => this.#takeovers.delete(runId));
  }

  /** True while the takeover of the run is to come or under way. */
  isTakingOver(runId: string): boolean {
    return this.#takeovers.has(runId);
  }

  /** Resolves when no takeover of the run is to come: whoever waits here puts it before the others. */
  async untouched(runId: string): Promise<void> {
    const trial = this.#takeovers.get(runId);
    if (trial === undefined) return;
    // One with a death keeps its place.
    if (!this.#marks.has(runId) && this.#waiting.delete(trial)) this.#urgent.add(trial);
    await trial.done.promise;
  }

  /** Adds a trial. Those of one run go in order. Resolves when it is over; `work` has then been done, whatever came of it. */
  add(trial: Trial, work: () => Promise<void>): Promise<void> {
    return this.#add(trial, work).done.promise;
  }

  #add(trial: Trial, work: () => Promise<void>): Waiting {
    const waiting: Waiting = { ...trial, work, done: Promise.withResolvers() };
    if (this.#marks.has(trial.runId)) void this.#addMarked(waiting);
    else this.#enqueue(waiting);
    return waiting;
  }

  /** The run has made progress or ended: what was known against it is forgotten. */
  clear(runId: string, shard: number): void {
    if (!this.#marks.delete(runId)) return;
    this.#passed.push({ runId, shard, moment: "" });
    this.#start();
  }

  /** Resolves when all that wait have been tried. */
  async drain(): Promise<void> {
    while (this.#running !== null || this.#paused > 0) {
      await this.#running;
      if (this.#paused > 0) await sleep(1);
    }
  }

  async #addMarked(trial: Waiting): Promise<void> {
    const before = this.#last.get(trial.runId);
    this.#last.set(trial.runId, trial.done.promise);
    this.#paused += 1;
    await before;
    const until = performance.now() + Math.random() * (this.#host.parts.suspectPauseMs ?? PAUSE_MS);
    while (performance.now() < until && !this.#host.draining && !this.#host.stopping) await sleep(20);
    this.#paused -= 1;
    this.#enqueue(trial);
    await trial.done.promise;
    if (this.#last.get(trial.runId) === trial.done.promise) this.#last.delete(trial.runId);
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
      // Whoever stops takes nobody over any more; events are still written.
      const wanted = this.#host.stopping ? group.filter(({ moment }) => moment !== TAKEOVER) : group;
      await this.#name(wanted);
      await withPatience(Promise.all(wanted.map((trial) => trial.work())));
      // What follows at once from a commit happens within a turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
      for (const { runId, shard, moment, done } of group) {
        this.#passed.push({ runId, shard, moment });
        const moments = this.#marks.get(runId);
        if (moments?.delete(moment) === true && moments.size === 0) this.#marks.delete(runId);
        done.resolve();
      }
      // Whoever waited for this one may have the next.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#name([]);
  }

  #take(): Waiting[] {
    const many = this.#waiting.size > ALONE_MOST;
    const group: Waiting[] = [];
    for (const trials of [this.#urgent, this.#waiting]) {
      for (const trial of trials) {
        if (group.length > 0 && this.#marks.has(trial.runId)) continue;
        trials.delete(trial);
        group.push(trial);
        if (!many || group.length >= GROUP || this.#marks.has(trial.runId)) return group;
      }
    }
    return group;
  }

  async #name(group: readonly Trial[]): Promise<void> {
    const passed = this.#passed;
    this.#passed = [];
    if (group.length + passed.length === 0) return;
    const leases = new Map<number, Lease>();
    for (const { shard } of [...group, ...passed]) {
      const epoch = this.#host.epochOf(shard);
      if (epoch !== undefined) leases.set(shard, { shard, epoch });
    }
    const { journal, log } = this.#host.parts;
    const trials = group.map(({ runId, shard, moment }) => ({ runId, shard, moment }));
    await insist(
      log,
      () => journal.nameSuspects([...leases.values()], trials, passed, group.length === 1),
      () => this.#host.stopping,
    ).catch((error: unknown) => {
      // Without the name a death would blame nobody, and the work may be what a caller waits for.
      log.warn("the run in hand could not be named in the store", { error });
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
