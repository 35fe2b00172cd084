/** What follows when records are durable: attempts begin or are told to stop, children start or close, parents hear of their children. */

import type { JsonObject } from "../../base/json/json.ts";
import type { Log } from "../../base/log.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { ChildEnd, RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import { isPaused, isTerminalPhase, type TaskState } from "../machine/state.ts";
import { type AttemptHost, abortAttempt, abortAttempts, beginAttempt } from "./attempts.ts";
import type { Cell } from "./cell.ts";
import { insist } from "./insist.ts";

/** What one run needs to tell another something. */
export interface FamilyHost {
  readonly parts: { readonly log: Log };
  readonly stopping: boolean;
  now(): number;
  epochOf(shard: number): number | undefined;
  post(cell: Cell, event: RunEvent): void;
  cellOf(runId: string): Promise<Cell>;
}

/** What effects need of the runtime. */
export interface EffectsHost extends FamilyHost {
  readonly parts: AttemptHost["parts"] & { readonly log: Log };
  until(at: number): number;
  /** No attempt begins any more: the next owner dispatches what was dispatched. */
  readonly draining: boolean;
  startChild(parent: Cell, path: string, childId: string): void;
}

/** Does what `records` ask for. Called once per commit, in order. */
export function performEffects(
  host: EffectsHost,
  cell: Cell,
  records: readonly JournalRecord[],
  firstSequence: number,
): void {
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index];
    if (record === undefined) continue;
    switch (record.type) {
      case "task.dispatched":
        if (!host.draining) beginAttempt(host, cell, record.task, firstSequence + index);
        break;
      case "task.waiting":
        if (record.wait.kind === "run") host.startChild(cell, record.task, record.wait.runId);
        break;
      case "task.canceled":
      case "task.failed":
      case "task.retrying":
        abortAttempt(cell, record.task);
        closeChild(host, cell, cell.run.state.tasks.get(record.task));
        break;
      case "run.ending":
        for (const path of cell.attempts.keys()) abortAttempt(cell, path, true);
        for (const task of cell.run.state.tasks.values()) closeChild(host, cell, task);
        break;
      case "run.held":
      case "run.released":
        if (record.hold === "operator" || record.hold === "parent")
          for (const task of cell.run.state.tasks.values()) passOn(host, cell, task, record);
        break;
      case "run.terminated":
      case "run.completed":
      case "run.failed":
      case "run.canceled":
      case "run.timed_out":
        abortAttempts(cell);
        endChild(host, cell);
        break;
    }
  }
}

/** Ends the child run that an ending task waited for, as its close policy says. */
export function closeChild(host: EffectsHost, cell: Cell, task: TaskState | undefined): void {
  if (task?.wait?.kind !== "run") return;
  const { runId } = task.wait;
  const policy = (task.input as JsonObject | undefined)?.close_policy ?? "cancel";
  if (policy === "abandon") {
    const end = { phase: "CANCELED", output: null, error: null } as const;
    host.post(cell, { type: "child", at: host.now(), task: task.path, runId, end, random: 0 });
    return;
  }
  const reason = `the run ${cell.runId} that started this one is ending`;
  postTo(host, cell.shard, runId, (at) =>
    policy === "terminate"
      ? { type: "terminate", at, by: "orchestrator", reason }
      : { type: "cancel", at, by: "orchestrator", reason, compensate: cell.run.state.cause?.compensate ?? false },
  );
}

/** Hands a pause or its end on to the child run that a task waits for. It ends for the child when nothing pauses the parent any more. */
function passOn(
  host: EffectsHost,
  cell: Cell,
  task: TaskState,
  record: Extract<JournalRecord, { type: "run.held" | "run.released" }>,
): void {
  if (task.state !== "WAITING" || task.wait?.kind !== "run") return;
  const isHeld = record.type === "run.held";
  if (!isHeld && isPaused(cell.run.state)) return;
  const why = isHeld ? `the run ${cell.runId} is paused` : "";
  const type = isHeld ? "hold" : "release";
  postTo(host, cell.shard, task.wait.runId, (at) => ({ type, at, hold: "parent", by: "orchestrator", why }));
}

function endChild(host: EffectsHost, { runId, shard, run: { state } }: Cell): void {
  const { parent } = state.facts;
  if (parent === null || !isTerminalPhase(state.phase)) return;
  const end = { phase: state.phase as "COMPLETED", output: state.output ?? null, error: state.error };
  tellParent(host, runId, shard, parent, end);
}

/** Tells the task that waits for the child run `runId` how that ended. They live on the same shard. */
export function tellParent(
  host: FamilyHost,
  runId: string,
  shard: number,
  parent: { readonly runId: string; readonly task: string },
  end: ChildEnd,
): void {
  failPoint("parent.tell");
  postTo(host, shard, parent.runId, (at) => ({
    type: "child",
    at,
    task: parent.task,
    runId,
    end,
    random: Math.random(),
  }));
}

/** Tells another run of the family, which lives on the same shard. */
function postTo(host: FamilyHost, shard: number, runId: string, toEvent: (at: number) => RunEvent): void {
  const isOver = (): boolean => host.stopping || host.epochOf(shard) === undefined;
  insist(host.parts.log, () => host.cellOf(runId), isOver).then(
    (cell) => host.post(cell, toEvent(host.now())),
    // A run that cannot be reached here has moved or ended: its owner finds out from the store when it takes the run over.
    () => {},
  );
}
