/** Makes the move of a cell: its pending records and the rows that follow from them. */
import type { Json, JsonObject } from "../../base/json.ts";
import type { ApprovalRow, DeadLetterRow, HeaderRow, Move, OutboxRow, StartRow } from "../journal.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { Answer, JournalRecord } from "../machine/records.ts";
import { movesByItself, specOf } from "../machine/run.ts";
import { publicState, type RunState } from "../machine/state.ts";
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
  let approvals: ApprovalRow[] | undefined;
  let deadLetters: DeadLetterRow[] | undefined;
  let outbox: OutboxRow[] | undefined;
  for (const record of pending) {
    switch (record.type) {
      case "run.recovered":
        // The header counts takeovers until the journal does.
        changed = true;
        break;
      case "task.waiting":
        if (record.wait.kind === "approval") (approvals ??= []).push(openApproval(state, record, record.input));
        break;
      case "task.suspended":
        if (record.wait.kind === "approval") (approvals ??= []).push(openApproval(state, record, record.value));
        break;
      case "task.dispatched":
      case "task.retrying":
        if (record.answer !== undefined && isApprovalAnswer(record.answer.value))
          (approvals ??= []).push(answeredApproval(state, record, record.answer));
        break;
      case "task.completed":
        if (isApproval(state, record.task)) (approvals ??= []).push(decidedApproval(state, record));
        else if (record.input !== undefined && specOf(run, record.task).type === "emit")
          (outbox ??= []).push(toOutbox(state, record));
        break;
      case "task.failed":
        if (isApproval(state, record.task)) (approvals ??= []).push(decidedApproval(state, record));
        if (record.deadLetter) (deadLetters ??= []).push(toDeadLetter(state, record));
        break;
      case "task.canceled":
        if (isApproval(state, record.task)) (approvals ??= []).push(decidedApproval(state, record));
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
    approvals: lastOfEach(approvals) ?? NONE,
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

function openApproval(
  state: RunState,
  record: Extract<JournalRecord, { type: "task.waiting" | "task.suspended" }>,
  parameters: Json,
): ApprovalRow {
  return {
    taskPath: record.task,
    tenantId: state.tenantId,
    flowId: state.flowId,
    state: "PENDING",
    parameters: JSON.stringify(parameters),
    createdAt: record.at,
    dueAt: record.dueAt,
    decidedAt: null,
    decidedBy: "",
    comment: "",
    data: "null",
  };
}

function decidedApproval(
  state: RunState,
  record: Extract<JournalRecord, { type: "task.completed" | "task.failed" | "task.canceled" }>,
): ApprovalRow {
  const task = state.tasks.get(record.task);
  const output = record.type === "task.completed" ? (record.output as JsonObject | null) : null;
  const expired =
    record.type === "task.failed"
      ? record.error.type === "APPROVAL_TIMEOUT"
      : output?.comment === "expired" && output.by === "";
  const ended =
    record.type === "task.canceled"
      ? "CANCELED"
      : expired
        ? "EXPIRED"
        : output?.approved === true
          ? "APPROVED"
          : "REJECTED";
  return {
    taskPath: record.task,
    tenantId: state.tenantId,
    flowId: state.flowId,
    state: ended,
    parameters: JSON.stringify(task?.input ?? null),
    createdAt: task?.startedAt ?? record.at,
    dueAt: null,
    decidedAt: record.at,
    decidedBy: typeof output?.by === "string" ? output.by : "",
    comment:
      typeof output?.comment === "string" ? output.comment : record.type === "task.failed" ? record.error.message : "",
    data: JSON.stringify(output?.data ?? null),
  };
}

/** True for the answer to an approval, as `decideApproval` makes it. */
function isApprovalAnswer(value: Json): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value) && "approved" in value && "by" in value;
}

/** The row of an approval that an interrupted graph asked for; its parameters stay as they were written. */
function answeredApproval(
  state: RunState,
  record: { readonly task: string; readonly at: number },
  answer: Answer,
): ApprovalRow {
  const { approved, by, comment, data } = answer.value as JsonObject;
  const expired = approved !== true && by === "" && comment === "expired";
  return {
    taskPath: record.task,
    tenantId: state.tenantId,
    flowId: state.flowId,
    state: expired ? "EXPIRED" : approved === true ? "APPROVED" : "REJECTED",
    parameters: "",
    createdAt: record.at,
    dueAt: null,
    decidedAt: record.at,
    decidedBy: String(by ?? ""),
    comment: String(comment ?? ""),
    data: JSON.stringify(data ?? null),
  };
}

/** One statement may write a row once: of an approval that began and ended in one move, the last row counts. */
function lastOfEach(rows: ApprovalRow[] | undefined): ApprovalRow[] | undefined {
  if (rows === undefined || rows.length < 2) return rows;
  return [...new Map(rows.map((row) => [row.taskPath, row])).values()];
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
