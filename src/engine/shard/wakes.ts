/**
 * Timers of runs. The header of a run says when it wakes next; what is due within the horizon is armed in the process, later times are found by looking
 * into the store now and then. So a run that only waits need not be in memory.
 */
import { failPoint } from "../../base/process/fail-points.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { RunEvent } from "../machine/events.ts";
import { canRest } from "../machine/run.ts";
import type { DueRun } from "../ports/journal.ts";
import { type Cell, isClean } from "./cell.ts";
import type { ParkedWaiters } from "./parked.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import { isUnreadable } from "./unreadable.ts";

/** Timers nearer than this are armed in the process; later ones are found by the next look at the store. */
const TIMER_HORIZON_MS = 15_000;

/** How far ahead a look at the store sees: to the horizon, less the time until the next look. */
const LOOK_AHEAD_MS = 10_000;

/** Runs that are read from the store at once: more than the connections of the pool gains nothing. */
const PARALLEL_READS = 8;

/** Runs that a look at the store lists at once. */
const PAGE = 5_000;

/** What timers need of the runtime. */
export interface WakeHost {
  readonly parts: RuntimeParts;
  readonly cells: Pick<ReadonlyMap<string, Cell>, "get" | "has" | "values">;
  readonly parked: ParkedWaiters;
  readonly owned: readonly number[];
  /** Shards of a dead owner whose runs are being taken over, the overdue ones too. */
  readonly adopting: Pick<ReadonlyMap<number, unknown>, "has">;
  readonly stopping: boolean;
  now(): number;
  post(cell: Cell, event: RunEvent): void;
  cellOf(runId: string): Promise<Cell>;
  drop(cell: Cell): void;
}

/** Arms the next timer of a cell, if it is near. */
export function armTimer(host: WakeHost, cell: Cell): void {
  if (cell.timer !== null) {
    clearTimeout(cell.timer);
    cell.timer = null;
  }
  // What waits for its trial may be this very timer; it is armed anew afterwards.
  if (cell.gone || cell.onTrial > 0) return;
  const dueAt = nextDueAt(cell.run);
  if (dueAt === null) return;
  // By what the database's clock shows for certain: an early timer would be refused, armed, refused …
  const delay = host.parts.clock.until(dueAt);
  if (delay <= TIMER_HORIZON_MS) cell.timer = setTimeout(() => fire(host, cell), Math.max(1, Math.ceil(delay)));
}

function fire(host: WakeHost, cell: Cell): void {
  cell.timer = null;
  if (cell.gone) return;
  failPoint("timer.fire", cell.runId);
  const at = host.now();
  const by = Math.floor(host.parts.clock.earliest());
  for (let dueAt = nextDueAt(cell.run); dueAt !== null && dueAt <= by && !cell.frozen; dueAt = nextDueAt(cell.run)) {
    const before = cell.run.state.sequence;
    host.post(cell, { type: "due", at, by, random: Math.random() });
    if (cell.run.state.sequence === before) break;
  }
  if (isClean(cell)) armTimer(host, cell);
}

/** Looks into the store for runs whose time comes soon, page after page until there are no more: no run keeps those behind it from being seen. */
export async function wakeDue(host: WakeHost): Promise<void> {
  const shards = host.owned.filter((shard) => !host.adopting.has(shard));
  if (shards.length === 0) return;
  const until = host.now() + LOOK_AHEAD_MS;
  let last: DueRun | null = null;
  do {
    const due: readonly DueRun[] = await host.parts.journal.listDue(shards, until, last, PAGE);
    let next = 0;
    const wake = async (): Promise<void> => {
      for (let run = due[next++]; run !== undefined; run = due[next++]) await wakeRun(host, run.runId);
    };
    await Promise.all(Array.from({ length: PARALLEL_READS }, wake));
    last = due.length < PAGE ? null : (due[due.length - 1] ?? null);
  } while (last !== null && !host.stopping);
}

async function wakeRun(host: WakeHost, runId: string): Promise<void> {
  const known = host.cells.get(runId);
  if (known === undefined) {
    await host.cellOf(runId).catch((error: unknown) => {
      // Who could not be read has been set aside, and that is in the log.
      if (!isUnreadable(error)) host.parts.log.error("a run that is due could not be read", { runId, error });
    });
  } else if (known.timer === null && isClean(known)) {
    armTimer(host, known);
  }
}

/** Drops runs from memory that rest and that nobody touched for `idleMs`: the store wakes them, or whoever has something for them. Returns how many. */
export function parkIdle(host: WakeHost, idleMs: number): number {
  const before = host.now() - idleMs;
  let parked = 0;
  for (const cell of host.cells.values()) {
    if (cell.touchedAt > before || !isClean(cell) || cell.watchers.size > 0) continue;
    if (cell.onTrial > 0 || cell.attempts.size > 0 || cell.timer !== null || cell.startingChildren > 0) continue;
    if (!canRest(cell.run)) continue;
    host.parked.take(cell);
    host.drop(cell);
    parked += 1;
  }
  return parked;
}
