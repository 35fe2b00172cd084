import type { JournalRecord } from "../../src/engine/machine/records.ts";
import type { OutboxRow } from "../../src/engine/ports/bus/outbox.ts";
import type { HeaderRow, StartRow, Transition } from "../../src/engine/ports/journal.ts";
import type { ProjectedRows } from "../../src/engine/ports/projections.ts";
import type { ApprovalRow } from "../../src/engine/runs/projections/approvals.ts";
import type { DeadLetterRow } from "../../src/engine/runs/projections/dead-letters.ts";

/** A day that no clock shows, so that a mix-up between the day of a run and the day of a write is visible. */
export const DAY = 20_000;

const AT = DAY * 86_400_000;

/** The first record of a run. */
export function startedRecord(more: object = {}): JournalRecord {
  const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };
  return {
    type: "run.started",
    at: AT,
    flowId: "f",
    version: "1",
    hash: "h",
    tenantId: "t",
    vars: {},
    deadlineAt: null,
    startAt: null,
    facts,
    ...more,
  } as unknown as JournalRecord;
}

/** A transition that writes only `records` by default. */
export function transitionOf(runId: string, sequence: number, more: Partial<Transition> = {}): Transition {
  const { records = [{ type: "run.recovered", at: AT }] } = more;
  return {
    runId,
    shard: 0,
    day: DAY,
    sequence,
    records,
    json: JSON.stringify(records),
    at: AT,
    dueAt: 0,
    start: null,
    header: null,
    rows: [],
    ...more,
  };
}

/** The transition that starts a run. */
export function startTransition(
  runId: string,
  row: Partial<StartRow> = {},
  more: Partial<Transition> = {},
): Transition {
  const start: StartRow = {
    runId,
    tenantId: "t",
    flowId: "f",
    version: "1",
    flowHash: "h",
    state: "RUNNING",
    sequence: 1,
    labels: {},
    userId: "",
    correlationId: "",
    runKey: "",
    parentRunId: "",
    parentTask: "",
    createdAt: AT,
    updatedAt: AT,
    endedAt: null,
    deadlineAt: null,
    moving: true,
    handedOut: false,
    wakeAt: null,
    keys: [],
    ...row,
  };
  return transitionOf(runId, 1, { records: [startedRecord()], start, ...more });
}

export function headerOf(more: Partial<HeaderRow> = {}): HeaderRow {
  return {
    state: "WAITING",
    moving: false,
    handedOut: false,
    sequence: 2,
    wakeAt: null,
    updatedAt: AT,
    endedAt: null,
    ...more,
  };
}

export function projected(rows: {
  readonly approvals?: readonly ApprovalRow[];
  readonly dead_letters?: readonly DeadLetterRow[];
  readonly outbox?: readonly OutboxRow[];
}): ProjectedRows[] {
  return Object.entries(rows)
    .filter(([, { length }]) => length > 0)
    .map(([projection, list]) => ({ projection, rows: list }));
}

/** An event on its way out. */
export function outgoing(topic: string, key: string): OutboxRow {
  const content = { payload: {}, headers: {} };
  return { taskPath: "e", tenantId: "t", destination: "kafka", topic, key, kind: "event", content, sequence: 4, at: 4 };
}
