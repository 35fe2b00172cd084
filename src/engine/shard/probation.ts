/** Suspects in memory: until a run has made progress after the death of its owner, each of its events is tried alone. See trials.ts. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunEvent } from "../machine/events.ts";
import { type Cell, hasEnded, isClean, type Reply } from "./cell.ts";
import { momentOf, type Trials } from "./trials.ts";

/** What probation needs of the runtime. */
export interface ProbationHost {
  readonly trials: Trials;
  now(): number;
  decide(cell: Cell, event: RunEvent, reply: Reply | null): void;
  arm(cell: Cell): void;
  startChild(parent: Cell, path: string, childId: string): void;
}

/** Gives an event to a suspect when it is its turn; `reply` hears when what came of it is durable. */
export function tryEvent(host: ProbationHost, cell: Cell, event: RunEvent, reply: Reply | null): void {
  const { runId, shard } = cell;
  cell.onTrial += 1;
  const work = async (): Promise<void> => {
    // It ended while the event waited, which changes nothing any more.
    if (cell.gone && hasEnded(cell)) return reply?.resolve();
    await decided(host, cell, event).then(reply?.resolve, reply?.reject ?? (() => {}));
    await childrenStarted(cell);
  };
  void host.trials.add({ runId, shard, moment: momentOf(event) }, work).then(() => {
    cell.onTrial -= 1;
    // Events that wait go before those that come.
    if (cell.onTrial > 0 || cell.gone) return;
    if (cell.run.state.recoveries === 0) {
      cell.suspect = false;
      host.trials.clear(runId, shard);
    }
    if (isClean(cell)) host.arm(cell);
  });
}

/**
 * Sets in motion what should be running and is not: attempts that nobody makes, children, groups. `clean`: its owner did not die with it. Resolves when that is
 * durable, or cannot be written here.
 */
export async function recoverRun(host: ProbationHost, cell: Cell, clean: boolean): Promise<void> {
  cell.inHand = true;
  const recovered = decided(host, cell, { type: "recover", at: host.now(), clean });
  for (const task of cell.run.state.tasks.values()) {
    if (task.state === "WAITING" && task.wait?.kind === "run") startOrFind(host, cell, task.path, task.wait.runId);
  }
  // What was not written here is the business of the owner that the run has now.
  await recovered.catch(() => {});
}

/** A child that is a suspect itself exists: its parent looks at it when it has been tried, and the trial of the parent does not wait for that. */
function startOrFind(host: ProbationHost, cell: Cell, path: string, childId: string): void {
  if (!host.trials.isTakingOver(childId)) host.startChild(cell, path, childId);
  else void host.trials.untouched(childId).then(() => host.startChild(cell, path, childId));
}

/** Resolves when the child runs that the cell starts are there, or that takes too long: one may wait for its own trial. */
export async function childrenStarted(cell: Cell): Promise<void> {
  for (let looks = 0; cell.startingChildren > 0 && looks < 100; looks += 1) await sleep(5);
}

function decided(host: ProbationHost, cell: Cell, event: RunEvent): Promise<void> {
  return new Promise((resolve, reject) => host.decide(cell, event, { resolve, reject }));
}
