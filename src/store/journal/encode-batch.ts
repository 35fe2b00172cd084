/**
 * Encodes transitions as parameters of the commit statement. This is the hottest code of the store: one pass, no
 * intermediate rows.
 */
import type { Transition } from "../../engine/ports/journal.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import type { SqlValue, Statement } from "../sql/sql.ts";
import {
  CHANGES,
  COMMIT_WHOLE,
  type HeaderTransition,
  isKeyed,
  KEYS,
  LEASES,
  SORTED_STARTS,
  SORTED_TRANSITIONS,
  type SortingStatements,
  STARTS,
  type StartTransition,
  TRANSITIONS,
} from "./commit-statement.ts";
import { RowBuffer } from "./row-set.ts";

export interface EncodedBatch {
  readonly statement: Statement;
  readonly values: SqlValue[];
}

/** Whether a batch consists only of transitions and headers and may be tried as a whole. */
export function isPlain(transitions: readonly Transition[]): boolean {
  return transitions.every(({ start, rows }) => rows.length === 0 && (start === null || !isKeyed(start)));
}

const isStart = (transition: Transition): transition is StartTransition => transition.start !== null;
const changesHeader = (transition: Transition): transition is HeaderTransition => transition.header !== null;

/**
 * Encodes a plain batch for the form that writes all of it or nothing. Throws if a transition contains a value that the
 * statement cannot carry; the other transitions are not at fault.
 */
export function encodeWhole(leases: readonly Lease[], batch: readonly Transition[]): EncodedBatch {
  const transitions = new RowBuffer(TRANSITIONS);
  let starts: RowBuffer<StartTransition> | undefined;
  let changes: RowBuffer<HeaderTransition> | undefined;
  let dueAt = 0;
  for (const transition of batch) {
    transitions.add(transition, transition);
    if (transition.dueAt > dueAt) dueAt = transition.dueAt;
    if (isStart(transition)) (starts ??= new RowBuffer(STARTS)).add(transition, transition);
    if (changesHeader(transition)) (changes ??= new RowBuffer(CHANGES)).add(transition, transition);
  }
  const values: SqlValue[] = [leases.length, dueAt];
  appendLeases(values, leases);
  transitions.appendTo(values);
  starts?.appendTo(values);
  changes?.appendTo(values);
  const { both, changes: changesOnly, starts: startsOnly, transitions: transitionsOnly } = COMMIT_WHOLE;
  if (starts === undefined) return { statement: changes === undefined ? transitionsOnly : changesOnly, values };
  return { statement: changes === undefined ? startsOnly : both, values };
}

/** Encodes any batch for the form that leaves out what must not be written. Throws like {@link encodeWhole}. */
export function encodeSorting(
  statements: SortingStatements,
  leases: readonly Lease[],
  batch: readonly Transition[],
): EncodedBatch {
  const transitions = new RowBuffer(SORTED_TRANSITIONS);
  const starts = new RowBuffer(SORTED_STARTS);
  const changes = new RowBuffer(CHANGES);
  const keys = new RowBuffer(KEYS);
  const projected = new Projected(statements);
  for (const transition of batch) {
    transitions.add(transition, transition);
    if (isStart(transition)) {
      const { tenantId, keys: startKeys } = transition.start;
      starts.add(transition, transition);
      for (const key of startKeys) keys.add({ tenantId, key }, transition);
    }
    if (changesHeader(transition)) changes.add(transition, transition);
    if (transition.rows.length > 0) projected.add(transition);
  }
  const values: SqlValue[] = [batch.length];
  appendLeases(values, leases);
  for (const buffer of [transitions, starts, changes, keys]) buffer.appendTo(values);
  return { statement: projected.appendTo(values), values };
}

function appendLeases(values: SqlValue[], leases: readonly Lease[]): void {
  const buffer = new RowBuffer(LEASES);
  // Leases belong to no transition.
  for (const lease of leases) buffer.add(lease, undefined as never);
  buffer.appendTo(values);
}

/** Projection rows of a batch. */
class Projected {
  readonly #statements: SortingStatements;
  readonly #buffers: (RowBuffer<never> | undefined)[];

  constructor(statements: SortingStatements) {
    this.#statements = statements;
    this.#buffers = new Array<undefined>(statements.tables.length).fill(undefined);
  }

  add(transition: Transition): void {
    for (const { projection, rows } of transition.rows) {
      const { tables } = this.#statements;
      const index = tables.findIndex((table) => table.projection === projection);
      const table = tables[index];
      if (table === undefined) throw new Error(`the store has no table for the projection ${projection}`);
      const buffer = (this.#buffers[index] ??= new RowBuffer(table.set));
      // The code that pairs a row maker with a table has checked that their row types match.
      for (const row of rows) buffer.add(row as never, transition);
    }
  }

  /** Appends the values and returns the statement to use. */
  appendTo(values: SqlValue[]): Statement {
    const { tables, none, one, all } = this.#statements;
    const used = this.#buffers.filter((buffer) => buffer !== undefined);
    const [first] = used;
    if (first === undefined) return none;
    if (used.length === 1) {
      first.appendTo(values);
      return one[this.#buffers.indexOf(first)] ?? all;
    }
    for (const [index, { set }] of tables.entries()) (this.#buffers[index] ?? new RowBuffer(set)).appendTo(values);
    return all;
  }
}
