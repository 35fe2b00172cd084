/**
 * Taking over the runs of shards that came into our hands: what was moving is read and set in motion, and children are compared with their parents.
 * Runs that only wait stay in the store until something happens to them.
 */

import { failPoint } from "../../base/fail-points.ts";
import { shardOfRun } from "../../base/ids.ts";
import type { MovingRun, TakenLease } from "../journal.ts";
import { MAX_RECOVERIES } from "../machine/decide.ts";
import { isTerminalPhase, type RunState } from "../machine/state.ts";
import type { Cell } from "./cell.ts";
import { alignChild } from "./children.ts";
import { insist } from "./insist.ts";
import type { Runtime } from "./runtime.ts";
import { isUnreadable } from "./unreadable.ts";

/** How many runs are read at the same time. */
const READERS = 16;

/** How many runs are counted before the first of them is read. */
const CHUNK = 256;

/**
 * Takes over the runs of `shards`, and resolves with how many there were. `clean`: the owner before gave the shard back in good order; otherwise the takeover
 * counts against its runs, each before it is read: reading it may be what kills. Those that were counted before come last and one by one, so that the run that
 * kills is soon the only one that is counted. Rejects when the runs cannot be listed.
 */
export async function takeOver(runtime: Runtime, shards: readonly TakenLease[]): Promise<number> {
  const { log, journal } = runtime.parts;
  const clean = new Map(shards.map((lease) => [lease.shard, lease.clean]));
  const list = [...clean.keys()];
  const leases = shards.filter((lease) => !lease.clean);
  for (const { shard } of leases) runtime.adopting.add(shard);
  try {
    const found = await insist(
      log,
      () => journal.listMoving(list),
      () => runtime.stopping,
    );
    const isClean = ({ runId }: MovingRun): boolean => clean.get(shardOf(runtime, runId)) === true;
    const [quiet, counted] = [found.filter(isClean), found.filter((run) => !isClean(run))];
    await forEach(quiet, (run) => adopt(runtime, run, true));
    const suspects = counted.filter((run) => run.takeovers > 0);
    const others = counted.filter((run) => run.takeovers === 0);
    for (const chunk of [...chunksOf(others, CHUNK), ...chunksOf(suspects, 1)])
      await adoptCounted(runtime, leases, chunk);
    const children = await insist(
      log,
      () => journal.listChildren(list),
      () => runtime.stopping,
    );
    await forEach(children, ({ runId, parentRunId }) => align(runtime, runId, parentRunId));
    return found.filter((run) => run.moving).length;
  } finally {
    for (const { shard } of leases) runtime.adopting.delete(shard);
  }
}

async function adoptCounted(
  runtime: Runtime,
  leases: readonly TakenLease[],
  runs: readonly MovingRun[],
): Promise<void> {
  const { log, journal } = runtime.parts;
  const runIds = runs.map((run) => run.runId);
  const poisonous = await insist(
    log,
    () => journal.countTakeovers(leases, runIds, MAX_RECOVERIES),
    () => runtime.stopping,
  );
  for (const runId of poisonous) {
    log.error("a run is put into quarantine: too many of its owners died before they had read it", { runId });
    for (const observer of runtime.observers) observer.setAside?.(runId);
  }
  await forEach(
    runs.filter((run) => !poisonous.includes(run.runId)),
    (run) => adopt(runtime, run, false),
  );
}

async function adopt(runtime: Runtime, { runId, moving }: MovingRun, clean: boolean): Promise<void> {
  await withCell(runtime, runId, (cell) => {
    failPoint("takeover.run");
    // What only waits is in memory now, and its timer fires. The list may hold runs that were begun here since the shard was taken: their attempts are being made.
    if (moving && !cell.inHand && !isTerminalPhase(cell.run.state.phase)) runtime.recover(cell, clean);
  });
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

async function align(runtime: Runtime, runId: string, parentRunId: string): Promise<void> {
  await withCell(runtime, runId, async (child) => {
    const parent = await findState(runtime, parentRunId);
    if (!child.gone) alignChild(runtime, parent, child);
  });
}

async function findState(runtime: Runtime, runId: string): Promise<RunState | null> {
  const known = runtime.cells.get(runId);
  if (known !== undefined) return known.run.state;
  const stored = await insist(
    runtime.parts.log,
    () => runtime.parts.journal.loadRun(runId),
    () => runtime.stopping,
  );
  return stored === null ? null : (await runtime.openStored(stored)).state;
}

/** Does something with a run, unless it cannot be read or is no longer ours. */
async function withCell(runtime: Runtime, runId: string, work: (cell: Cell) => void | Promise<void>): Promise<void> {
  const isOver = (): boolean => runtime.stopping || runtime.epochOf(shardOf(runtime, runId)) === undefined;
  try {
    const cell = await insist(runtime.parts.log, () => runtime.cellOf(runId), isOver);
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
