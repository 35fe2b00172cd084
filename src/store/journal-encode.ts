/** Turns moves into the parameters of the commit statement. This is the hottest code of the store: one pass, no intermediate rows. */
import type { Lease, Move } from "../engine/journal.ts";
import { type BatchParts, COMMIT_PARAMETERS, commitStatement } from "./journal-sql.ts";
import type { SqlValue, Statement } from "./sql.ts";

const SEPARATOR = "\u0001";

/** What a batch holds. */
function partsOf(moves: readonly Move[]): BatchParts {
  let starts = false;
  let changes = false;
  let extras = false;
  for (const { start, header, approvals, deadLetters, outbox } of moves) {
    starts ||= start !== null;
    changes ||= header !== null;
    extras ||= approvals.length > 0 || deadLetters.length > 0 || outbox.length > 0;
    extras ||= start !== null && (start.keys.length > 0 || start.runKey !== "");
  }
  return { starts, changes, extras };
}

/** What a batch holds, and its statement and values. Throws when a move holds what the statement cannot carry; the others are not to blame for it. */
export function encodeBatch(
  leases: readonly Lease[],
  moves: readonly Move[],
): { readonly parts: BatchParts; readonly statement: Statement; readonly values: SqlValue[] } {
  const parts = partsOf(moves);
  const columns = new Columns(COMMIT_PARAMETERS);
  for (const lease of leases) {
    columns.number(1, lease.shard);
    columns.number(2, lease.epoch);
  }
  for (const move of moves) encodeMove(columns, move, parts.extras);
  columns.scalar(36, moves.length);
  const { statement, parameters } = commitStatement(parts);
  return { parts, statement, values: parameters.map((parameter) => columns.value(parameter)) };
}

function encodeMove(columns: Columns, move: Move, full: boolean): void {
  const { runId } = move;
  columns.number(3, move.shard);
  columns.text(4, runId);
  columns.number(5, move.day);
  columns.number(6, move.sequence);
  columns.number(7, move.records.length);
  columns.number(8, move.at);
  columns.number(9, move.dueAt);
  columns.json(10, move.json);
  const { start, header } = move;
  if (start !== null) {
    columns.text(11, runId);
    columns.text(12, start.tenantId);
    columns.text(13, start.flowId);
    columns.text(14, start.version);
    columns.text(15, start.flowHash);
    columns.json(16, start.state);
    columns.number(17, start.sequence);
    columns.number(18, start.wakeAt ?? 0);
    columns.number(19, start.deadlineAt ?? 0);
    columns.json(20, encodeLabels(start.labels));
    columns.text(21, start.userId);
    columns.text(22, start.correlationId);
    columns.text(23, start.runKey);
    columns.text(24, start.parentRunId);
    columns.text(25, start.parentTask);
    columns.number(26, start.endedAt ?? 0);
    columns.number(27, full && (start.keys.length > 0 || start.runKey !== "") ? "t" : "f");
    columns.number(28, start.moving ? "t" : "f");
  }
  if (header !== null) {
    columns.text(29, runId);
    columns.json(30, header.state);
    columns.number(31, header.moving ? "t" : "f");
    columns.number(32, header.sequence);
    columns.number(33, header.wakeAt ?? 0);
    columns.number(34, header.updatedAt);
    columns.number(35, header.endedAt ?? 0);
  }
  if (full) encodeExtras(columns, move);
}

function encodeExtras(columns: Columns, move: Move): void {
  const { runId, start } = move;
  for (const key of start?.keys ?? []) columns.texts(37, [runId, start?.tenantId ?? "", key.kind, key.key, key.hash]);
  for (const row of move.approvals) {
    columns.texts(42, [runId, row.taskPath, row.tenantId, row.flowId, row.state, row.parameters]);
    columns.number(48, row.createdAt);
    columns.number(49, row.dueAt ?? 0);
    columns.number(50, row.decidedAt ?? 0);
    columns.texts(51, [row.decidedBy, row.comment, row.data]);
  }
  for (const row of move.deadLetters) {
    columns.texts(54, [runId, row.taskPath]);
    columns.number(56, row.generation);
    columns.texts(57, [row.tenantId, row.flowId]);
    columns.number(59, row.attempts);
    columns.texts(60, [row.errorType, row.errorMessage, row.input]);
    columns.number(63, row.at);
  }
  for (const row of move.outbox) {
    columns.texts(64, [runId, row.taskPath, row.tenantId, row.topic, row.key, row.payload]);
    columns.number(70, row.at);
  }
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

/** Parameters that are columns of numbers. */
const NUMERIC: ReadonlySet<number> = new Set([
  1, 2, 3, 5, 6, 7, 8, 9, 17, 18, 19, 26, 27, 28, 31, 32, 33, 34, 35, 48, 49, 50, 56, 59, 63, 70,
]);

/**
 * Columns under construction: number columns become array literals, text columns joined texts. Values are kept apart until the column is complete: each text that
 * is added to another one is an object of its own.
 */
class Columns {
  readonly #columns: ((string | number)[] | undefined)[];
  #scalar = 0;
  #scalarAt = 0;

  constructor(count: number) {
    this.#columns = new Array(count + 1);
  }

  number(parameter: number, value: number | string): void {
    const column = this.#columns[parameter];
    if (column === undefined) this.#columns[parameter] = [value];
    else column.push(value);
  }

  /** Text that cannot hold the separator: JSON escapes control characters, and names of states have none. */
  json(parameter: number, value: string): void {
    const column = this.#columns[parameter];
    // The separator stands before the first value too: a column with one empty text is not an empty column.
    if (column === undefined) this.#columns[parameter] = ["", value];
    else column.push(value);
  }

  /** Any other text. What would move the values of other runs is refused, whoever let it come here. */
  text(parameter: number, value: string): void {
    if (value.includes(SEPARATOR) || value.includes("\0")) throw new UnfitText(parameter);
    this.json(parameter, value);
  }

  /** Texts that may come from tools: what the server or the encoding cannot hold becomes U+FFFD. The journal has the original. */
  #clean(value: string): string {
    return value.includes(SEPARATOR) || value.includes("\0") ? value.replaceAll(/[\0\u0001]/g, "\ufffd") : value;
  }

  texts(first: number, values: readonly string[]): void {
    for (let index = 0; index < values.length; index += 1) this.json(first + index, this.#clean(values[index] ?? ""));
  }

  scalar(parameter: number, value: number): void {
    this.#scalarAt = parameter;
    this.#scalar = value;
  }

  value(parameter: number): SqlValue {
    if (parameter === this.#scalarAt) return this.#scalar;
    const column = this.#columns[parameter];
    if (NUMERIC.has(parameter)) return `{${column?.join(",") ?? ""}}`;
    return column?.join(SEPARATOR) ?? "";
  }
}
