/**
 * Taking over the runs of shards that came into our hands: what was moving is read and set in motion, and children are compared with their parents. Runs that only
 * wait stay in the store until something happens to them.
 *
 * A shard that its owner gave back holds no suspects. When the owner died, every run that was moving or is overdue may be what killed it: these go through
 * trials.ts, and the others are left alone. Runs that are known to kill are held before any run is read.
 */

import { shardOfRun } from "../../base/ids.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { JournalRecord } from "../machine/records.ts";
import { isTerminalPhase, type RunState } from "../machine/state.ts";
import type { MovingRun, Suspect } from "../ports/journal.ts";
import type { TakenLease } from "../ports/leases.ts";
import type { Cell } from "./cell.ts";
import { alignChild } from "./children.ts";
import { insist } from "./insist.ts";
import { childrenStarted } from "./probation.ts";
import type { Runtime } from "./runtime.ts";
import { MAX_DEATHS } from "./trials.ts";
import { isUnreadable } from "./unreadable.ts";

/** How many runs of clean shards are read at the same time. */
const READERS = 16;

/** Keeps everybody from the runs of shards whose owner died, until {@link takeOver} knows which of them are suspects. Called before the shards are ours. */
export function closeShards(runtime: Runtime, shards: readonly TakenLease[]): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const { shard, clean } of shards) if (!clean) runtime.adopting.set(shard, promise);
  return resolve;
}

/**
 * Takes over the runs of `shards`, and resolves with how many there were. `opened` is called when the suspects are known. Rejects when the runs cannot be
 * listed.
 */
export async function takeOver(runtime: Runtime, shards: readonly TakenLease[], opened: () => void): Promise<number> {
  const { log, journal } = runtime.parts;
  const clean = new Map(shards.map((lease) => [lease.shard, lease.clean]));
  const list = [...clean.keys()];
  const ask = <T>(work: () => Promise<T>): Promise<T> => insist(log, work, () => runtime.stopping);
  try {
    await judge(runtime, shards);
    const found = await ask(() => journal.listMoving(list));
    const isClean = ({ runId }: MovingRun): boolean => clean.get(shardOf(runtime, runId)) === true;
    const tried = found
      .filter((run) => !isClean(run))
      .map((run) => runtime.trials.takeOver(run.runId, shardOf(runtime, run.runId), () => adopt(runtime, run, false)));
    opened();
    await forEach(found.filter(isClean), (run) => adopt(runtime, run, true));
    await Promise.all(tried);
    const children = await ask(() => journal.listChildren(list));
    await forEach(children, ({ runId, parentRunId }) => align(runtime, runId, parentRunId));
    return found.filter((run) => run.moving).length;
  } finally {
    opened();
    for (const { shard } of shards) runtime.adopting.delete(shard);
  }
}

/** Counts deaths, and holds the runs that are known to kill. */
async function judge(runtime: Runtime, shards: readonly TakenLease[]): Promise<void> {
  const { log, journal } = runtime.parts;
  const ask = <T>(work: () => Promise<T>): Promise<T> => insist(log, work, () => runtime.stopping);
  const suspects = await ask(() => journal.judgeSuspects(shards));
  const guilty = new Map(suspects.filter(isGuilty).map((suspect) => [suspect.runId, suspect]));
  for (const [runId, suspect] of guilty) {
    const lease = shards.find(({ shard }) => shard === suspect.shard);
    if (lease === undefined) continue;
    const why = reasonOf(suspect);
    const at = runtime.now();
    const record: JournalRecord = { type: "run.held", at, hold: "quarantine", by: "orchestrator", why };
    if (!(await ask(() => journal.holdUnread(lease, runId, record)))) continue;
    log.error("a run is put into quarantine: it stopped the processes that had it in hand", { runId, why });
    for (const observer of runtime.observers) observer.setAside?.(runId, suspect.blocked ? "BLOCKED" : "KILLED");
  }
  runtime.trials.mark(suspects.filter(({ runId }) => !guilty.has(runId)));
}

function isGuilty({ deaths, blocked }: Suspect): boolean {
  return blocked || deaths >= MAX_DEATHS;
}

function reasonOf({ deaths, blocked, moment }: Suspect): string {
  if (blocked) return "the event loop of its owner stood still while this run was in hand";
  return `${deaths + 1} owners in a row died, the last ${deaths} with only this run in hand (${moment})`;
}

async function adopt(runtime: Runtime, { runId, moving }: MovingRun, clean: boolean): Promise<void> {
  await withCell(runtime, runId, "open", async (cell) => {
    failPoint("takeover.run", runId);
    // The list may hold runs that were begun here since the shard was taken: their attempts are being made.
    if (cell.inHand || isTerminalPhase(cell.run.state.phase)) return;
    // What only waits is in memory now, and its timer fires.
    const recovered = moving ? runtime.recover(cell, clean) : Promise.resolve();
    if (!clean) cell.suspect = true;
    await recovered;
    if (!clean) await childrenStarted(cell);
  });
}

async function align(runtime: Runtime, runId: string, parentRunId: string): Promise<void> {
  await withCell(runtime, runId, "wait", async (child) => {
    const parent = await findState(runtime, parentRunId);
    if (!child.gone) alignChild(runtime, parent, child);
  });
}

async function findState(runtime: Runtime, runId: string): Promise<RunState | null> {
  const known = runtime.cells.get(runId);
  if (known !== undefined) return known.run.state;
  await runtime.untouched(runId);
  const stored = await insist(
    runtime.parts.log,
    () => runtime.parts.journal.loadRun(runId),
    () => runtime.stopping,
  );
  return stored === null ? null : (await runtime.openStored(stored)).state;
}

/** Does something with a run, unless it cannot be read or is no longer ours. `open`: now; `wait`: when it has been tried. */
async function withCell(
  runtime: Runtime,
  runId: string,
  when: "open" | "wait",
  work: (cell: Cell) => Promise<void>,
): Promise<void> {
  const isOver = (): boolean => runtime.stopping || runtime.epochOf(shardOf(runtime, runId)) === undefined;
  const read = () => (when === "open" ? runtime.openCell(runId) : runtime.cellOf(runId));
  try {
    const cell = await insist(runtime.parts.log, read, isOver);
    if (!isOver()) await work(cell);
  } catch (error) {
    // Who could not be read has been set aside, and that is in the log.
    if (!isOver() && !isUnreadable(error)) runtime.parts.log.error("a run could not be taken over", { runId, error });
  }
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(READERS, items.length) }, reader));
}

function shardOf(runtime: Runtime, runId: string): number {
  return shardOfRun(runId, runtime.parts.shards);
}
