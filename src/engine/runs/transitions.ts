/** Creates the transition of a run for its commit: the pending records, the header, and the projected rows. */
import { nextDueAt } from "../machine/decide.ts";
import { movesByItself } from "../machine/run.ts";
import { isTerminalPhase, publicState, type RunState } from "../machine/state.ts";
import type { HeaderRow, StartRow, Transition } from "../ports/journal.ts";
import type { ProjectedRows } from "../ports/projections.ts";
import type { RunResident } from "./run-resident.ts";

/** Sequence of the first pending record. */
export function firstSequenceOf({ entity: { state }, pending }: RunResident): number {
  return state.sequence - pending.length + 1;
}

/** The transition of everything pending in `resident`, with its records as JSON and its projected rows. */
export function createTransition(resident: RunResident, json: string, rows: readonly ProjectedRows[]): Transition {
  const { entity: run, pending, work } = resident;
  const { state } = run;
  const last = pending[pending.length - 1];
  const handedOut = state.handedOut > 0 && !isTerminalPhase(state.phase);
  const shown = { state: publicState(state), moving: movesByItself(run), handedOut, wakeAt: nextDueAt(run) };
  let changed =
    shown.state !== work.shown.state ||
    shown.moving !== work.shown.moving ||
    shown.handedOut !== work.shown.handedOut ||
    shown.wakeAt !== work.shown.wakeAt;
  work.shown = shown;
  for (const record of pending) {
    switch (record.type) {
      case "run.recovered":
        // Lists show it as the time of the last change.
        changed = true;
        break;
      case "run.held":
      case "run.released":
      case "run.ending":
      case "signal.received":
      case "request.applied":
      case "approval.ended":
        // A caller was notified that this is durable. The header counts it too, so that a journal that lost its end is
        // not taken for a complete one.
        changed = true;
        break;
    }
  }
  return {
    runId: resident.id,
    shard: resident.shard,
    day: resident.day,
    sequence: firstSequenceOf(resident),
    records: pending,
    json,
    at: last?.at ?? 0,
    dueAt: resident.dueAt,
    start: resident.started ? null : toStartRow(resident, shown),
    header: resident.started && changed ? toHeaderRow(state, shown) : null,
    rows,
  };
}

interface Shown {
  readonly state: StartRow["state"];
  readonly moving: boolean;
  readonly handedOut: boolean;
  readonly wakeAt: number | null;
}

function toHeaderRow(state: RunState, shown: Shown): HeaderRow {
  return {
    ...shown,
    sequence: state.sequence,
    updatedAt: state.updatedAt,
    endedAt: state.endedAt === 0 ? null : state.endedAt,
  };
}

function toStartRow({ entity: { state }, work }: RunResident, shown: Shown): StartRow {
  const { facts } = state;
  return {
    runId: state.runId,
    tenantId: state.tenantId,
    flowId: state.flowId,
    version: state.version,
    flowHash: state.hash,
    ...shown,
    sequence: state.sequence,
    labels: facts.labels,
    userId: facts.userId,
    correlationId: facts.correlationId,
    runKey: facts.runKey,
    parentRunId: facts.parent?.runId ?? "",
    parentTask: facts.parent?.task ?? "",
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    endedAt: state.endedAt === 0 ? null : state.endedAt,
    deadlineAt: state.deadlineAt,
    keys: work.keys,
    named: work.named,
  };
}
