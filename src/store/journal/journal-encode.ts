/** Turns moves into the parameters of the commit statement. This is the hottest code of the store: one pass, no intermediate rows. */
import type { HeaderRow, Move, StartRow } from "../../engine/ports/journal.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import type { SqlValue, Statement } from "../sql/sql.ts";
import { COMMIT_PARAMETERS, COMMIT_SORTING, COMMIT_WHOLE, type CommitStatement } from "./journal-sql.ts";

const SEPARATOR = "\u0001";

/** A batch as it is sent. */
export interface EncodedBatch {
  readonly statement: Statement;
  readonly values: SqlValue[];
}

const isKeyed = (start: StartRow): boolean => start.keys.length > 0 || start.runKey !== "";

/** Whether a batch holds nothing but moves and headers, and may be tried as a whole. */
export function isPlain(moves: readonly Move[]): boolean {
  return moves.every(
    ({ start, approvals, deadLetters, outbox }) =>
      approvals.length === 0 && deadLetters.length === 0 && outbox.length === 0 && (start === null || !isKeyed(start)),
  );
}

/**
 * A plain batch for the form of the statement that writes all of it or nothing. Throws when a move holds what the statement cannot carry; the others are
 * not to blame for it.
 */
export function encodeWhole(leases: readonly Lease[], moves: readonly Move[]): EncodedBatch {
  const columns = new Columns();
  encodeLeases(columns, leases);
  let dueAt = 0;
  let starts = 0;
  let changes = 0;
  for (const move of moves) {
    encodeMove(columns, move);
    if (move.dueAt > dueAt) dueAt = move.dueAt;
    if (move.start !== null) encodeStart(columns, starts++, move, move.start);
    if (move.header !== null) encodeHeader(columns, changes++, move.runId, move.header);
  }
  columns.scalar(3, leases.length);
  columns.scalar(4, dueAt);
  if (starts > 0) return columns.fill(changes > 0 ? COMMIT_WHOLE.both : COMMIT_WHOLE.starts);
  return columns.fill(changes > 0 ? COMMIT_WHOLE.changes : COMMIT_WHOLE.moves);
}

/** Any batch, for the form that leaves out what must not be written. Throws like {@link encodeWhole}. */
export function encodeSorting(leases: readonly Lease[], moves: readonly Move[]): EncodedBatch {
  const columns = new Columns();
  encodeLeases(columns, leases);
  const rows = { moves: 0, starts: 0, changes: 0, keys: 0, approvals: 0, deadLetters: 0, outbox: 0 };
  for (const move of moves) {
    const { runId, start, header } = move;
    columns.number(5, move.shard);
    columns.time(11, rows.moves++, move.dueAt);
    encodeMove(columns, move);
    if (start !== null) {
      columns.sparse(34, rows.starts, isKeyed(start) ? "t" : "f", "f");
      encodeStart(columns, rows.starts++, move, start);
      for (const { kind, key, hash } of start.keys)
        columns.texts(42, rows.keys++, [runId, start.tenantId, kind, key, hash]);
    }
    if (header !== null) encodeHeader(columns, rows.changes++, runId, header);
    for (const { approval, tenantId, flowId } of move.approvals) {
      const place = rows.approvals++;
      const { id, task, state, parameters, createdAt, dueAt, endedAt, by, comment, data } = approval;
      columns.texts(47, place, [runId, task, tenantId, flowId, state, JSON.stringify(parameters)]);
      columns.time(53, place, createdAt);
      columns.time(54, place, dueAt);
      columns.time(55, place, endedAt);
      columns.texts(56, place, [by, comment, JSON.stringify(data)]);
      columns.number(76, id);
    }
    for (const row of move.deadLetters) {
      const place = rows.deadLetters++;
      columns.texts(59, place, [runId, row.taskPath]);
      columns.number(61, row.generation);
      columns.texts(62, place, [row.tenantId, row.flowId]);
      columns.number(64, row.attempts);
      columns.texts(65, place, [row.errorType, row.errorMessage, row.input]);
      columns.time(68, place, row.at);
      columns.texts(77, place, [row.reason]);
    }
    for (const row of move.outbox) {
      const place = rows.outbox++;
      columns.texts(69, place, [runId, row.taskPath, row.tenantId, row.topic, row.key, row.payload]);
      columns.time(75, place, row.at);
    }
  }
  columns.scalar(13, moves.length);
  return columns.fill(COMMIT_SORTING);
}

function encodeLeases(columns: Columns, leases: readonly Lease[]): void {
  for (const { shard, epoch } of leases) {
    columns.number(1, shard);
    columns.number(2, epoch);
  }
}

function encodeMove(columns: Columns, move: Move): void {
  columns.name(6, move.runId);
  columns.number(7, move.day);
  columns.number(8, move.sequence);
  columns.number(9, move.records.length);
  columns.number(10, move.at);
  columns.json(12, move.json);
}

function encodeStart(columns: Columns, row: number, move: Move, start: StartRow): void {
  columns.name(14, move.runId);
  columns.number(15, move.shard);
  columns.number(16, move.day);
  columns.number(17, move.at);
  columns.name(18, start.tenantId);
  columns.name(19, start.flowId);
  columns.name(20, start.version);
  columns.name(21, start.flowHash);
  columns.json(22, start.state);
  columns.number(23, start.moving ? "t" : "f");
  columns.number(24, start.sequence);
  columns.time(25, row, start.wakeAt);
  columns.time(26, row, start.deadlineAt);
  columns.sparse(27, row, encodeLabels(start.labels), "");
  columns.text(28, row, start.userId);
  columns.text(29, row, start.correlationId);
  columns.text(30, row, start.runKey);
  columns.text(31, row, start.parentRunId);
  columns.text(32, row, start.parentTask);
  columns.time(33, row, start.endedAt);
}

function encodeHeader(columns: Columns, row: number, runId: string, header: HeaderRow): void {
  columns.name(35, runId);
  columns.json(36, header.state);
  columns.number(37, header.moving ? "t" : "f");
  columns.number(38, header.sequence);
  columns.time(39, row, header.wakeAt);
  columns.number(40, header.updatedAt);
  columns.time(41, row, header.endedAt);
}

function encodeLabels(labels: Readonly<Record<string, string>>): string {
  for (const _ in labels) return JSON.stringify(labels);
  return "";
}

/** A text that no column can hold. */
class UnfitText extends Error {
  override readonly name = "UnfitText";

  constructor(parameter: number) {
    super(`a text for parameter ${parameter} holds U+0000 or U+0001`);
  }
}

const isUnfit = (value: string): boolean => value.includes(SEPARATOR) || value.includes("\0");

/** Parameters that are columns of numbers, times or truth values. */
const NUMERIC: ReadonlySet<number> = new Set([
  ...[1, 2, 5, 7, 8, 9, 10, 11],
  ...[15, 16, 17, 23, 24, 25, 26, 33, 34],
  ...[37, 38, 39, 40, 41],
  ...[53, 54, 55, 61, 64, 68, 75, 76],
]);

/**
 * Columns under construction: number columns become array literals, text columns joined texts. Values are kept apart until the column is complete: each text that
 * is added to another one is an object of its own. A column ends with its last value that says something; the server fills it up.
 */
class Columns {
  readonly #columns: ((string | number)[] | number | undefined)[] = new Array(COMMIT_PARAMETERS + 1);

  /** A value that every row has. */
  number(parameter: number, value: number | string): void {
    const column = this.#columns[parameter];
    if (column === undefined) this.#columns[parameter] = [value];
    else (column as (number | string)[]).push(value);
  }

  /** Text that every row has, that is never empty and cannot hold the separator: JSON escapes control characters, and names of states have none. */
  json(parameter: number, value: string): void {
    this.number(parameter, value);
  }

  /** Any other text that every row has. What would move the values of other runs is refused, whoever let it come here. */
  name(parameter: number, value: string): void {
    if (isUnfit(value)) throw new UnfitText(parameter);
    this.number(parameter, value);
  }

  /** A value that most rows do not have. */
  sparse(parameter: number, row: number, value: number | string, nothing: number | string): void {
    if (value === nothing) return;
    const column = (this.#columns[parameter] ??= []) as (number | string)[];
    while (column.length < row) column.push(nothing);
    column.push(value);
  }

  /** A time, where there is one. */
  time(parameter: number, row: number, value: number | null): void {
    this.sparse(parameter, row, value ?? 0, 0);
  }

  /** A text, where there is one. */
  text(parameter: number, row: number, value: string): void {
    if (isUnfit(value)) throw new UnfitText(parameter);
    this.sparse(parameter, row, value, "");
  }

  /** Texts that may come from tools, for columns side by side: what the server or the encoding cannot hold becomes U+FFFD. The journal has the original. */
  texts(first: number, row: number, values: readonly string[]): void {
    for (const [place, value] of values.entries())
      this.sparse(first + place, row, isUnfit(value) ? value.replaceAll(/[\0\u0001]/g, "\ufffd") : value, "");
  }

  /** A value of the batch. */
  scalar(parameter: number, value: number): void {
    this.#columns[parameter] = value;
  }

  /** The statement with its values. */
  fill({ statement, parameters }: CommitStatement): EncodedBatch {
    return { statement, values: parameters.map((parameter) => this.#value(parameter)) };
  }

  #value(parameter: number): SqlValue {
    const column = this.#columns[parameter];
    if (typeof column === "number") return column;
    if (NUMERIC.has(parameter)) return `{${column?.join(",") ?? ""}}`;
    return column?.join(SEPARATOR) ?? "";
  }
}
