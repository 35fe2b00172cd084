/** Makes the move of a cell: its pending records and the rows that follow from them. */
import type { JsonObject } from "../../base/json/json.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { JournalRecord } from "../machine/records.ts";
import { movesByItself, specOf } from "../machine/run.ts";
import { publicState, type RunState } from "../machine/state.ts";
import type { ApprovalRow, DeadLetterRow, HeaderRow, Move, OutboxRow, StartRow } from "../ports/journal.ts";
import type { Cell } from "./cell.ts";

const NONE: readonly never[] = [];

/** The move of everything that is pending in `cell`, with its records as JSON. */
export function createMove(cell: Cell, json: string): Move {
  const { run, pending } = cell;
  const { state } = run;
  const last = pending[pending.length - 1];
  const shown = { state: publicState(state), moving: movesByItself(run), wakeAt: nextDueAt(run) };
  let changed =
    shown.state !== cell.shown.state || shown.moving !== cell.shown.moving || shown.wakeAt !== cell.shown.wakeAt;
  cell.shown = shown;
  /** Ids of those that began or ended. */
  let approvals: Set<number> | undefined;
  let deadLetters: DeadLetterRow[] | undefined;
  let outbox: OutboxRow[] | undefined;
  let sequence = state.sequence - pending.length;
  for (const record of pending) {
    sequence += 1;
    switch (record.type) {
      case "run.recovered":
        // The header counts takeovers until the journal does.
        changed = true;
        break;
      case "run.held":
      case "run.released":
      case "run.ending":
      case "signal.received":
      case "request.applied":
        // A caller was told that this is durable. The header knows of it too, so that a journal which has lost its end does not pass for a whole one.
        changed = true;
        break;
      case "task.waiting":
      case "task.suspended":
        if (record.wait.kind === "approval") (approvals ??= new Set()).add(sequence);
        break;
      case "approval.ended":
        (approvals ??= new Set()).add(record.approval);
        // As with signals.
        changed = true;
        break;
      case "task.completed":
        if (record.input !== undefined && specOf(run, record.task).type === "emit")
          (outbox ??= []).push(toOutbox(state, record));
        break;
      case "task.failed":
        if (record.deadLetter) (deadLetters ??= []).push(toDeadLetter(state, record));
        break;
      case "task.canceled":
        if (isApproval(state, record.task)) (approvals ??= new Set()).add(state.tasks.get(record.task)?.token ?? 0);
        break;
    }
  }
  return {
    runId: cell.runId,
    shard: cell.shard,
    day: cell.day,
    sequence: state.sequence - pending.length + 1,
    records: pending,
    json,
    at: last?.at ?? 0,
    dueAt: cell.dueAt,
    start: cell.started ? null : toStartRow(cell, shown),
    header: cell.started && changed ? toHeaderRow(state, shown) : null,
    approvals: approvals === undefined ? NONE : toApprovalRows(state, approvals),
    deadLetters: deadLetters ?? NONE,
    outbox: outbox ?? NONE,
  };
}

interface Shown {
  readonly state: StartRow["state"];
  readonly moving: boolean;
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

function toStartRow(cell: Cell, shown: Shown): StartRow {
  const { state } = cell.run;
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
    keys: cell.keys,
  };
}

function isApproval(state: RunState, path: string): boolean {
  return state.tasks.get(path)?.wait?.kind === "approval";
}

/** The rows of approvals as they are after the move. */
function toApprovalRows(state: RunState, ids: ReadonlySet<number>): ApprovalRow[] {
  const rows: ApprovalRow[] = [];
  for (const id of ids) {
    const approval = state.approvals.get(id);
    if (approval !== undefined) rows.push({ approval, tenantId: state.tenantId, flowId: state.flowId });
  }
  return rows;
}

function toDeadLetter(state: RunState, record: Extract<JournalRecord, { type: "task.failed" }>): DeadLetterRow {
  const task = state.tasks.get(record.task);
  return {
    taskPath: record.task,
    generation: task?.generation ?? 0,
    tenantId: state.tenantId,
    flowId: state.flowId,
    attempts: task?.attempt ?? 0,
    errorType: record.error.type,
    errorMessage: record.error.message,
    reason: record.deadLetter ?? "NOT_RETRYABLE",
    input: JSON.stringify(task?.input ?? null),
    at: record.at,
  };
}

function toOutbox(state: RunState, record: Extract<JournalRecord, { type: "task.completed" }>): OutboxRow {
  const input = record.input as JsonObject;
  return {
    taskPath: record.task,
    tenantId: state.tenantId,
    topic: String(input.topic ?? ""),
    key: typeof input.key === "string" ? input.key : state.runId,
    payload: JSON.stringify({ payload: input.payload ?? null, headers: input.headers ?? {} }),
    at: record.at,
  };
}
