import { type Column, id } from "./columns.ts";
import { defineRows, type RowSet } from "./row-set.ts";

/** The store's side of a projection: the table, its columns, and how a batch writes it. */
export interface ProjectionTable<Row extends object> {
  /** Name of the projection, as in its row maker. */
  readonly projection: string;
  readonly set: RowSet<Row>;
  /** The CTE that writes the rows. It may use `accepted`, the runs whose transitions are written. */
  readonly write: string;
  /** Statement that deletes the rows of a deleted run; null if they stay. */
  readonly erase: string | null;
  /** Statement that updates the rows of a run that was ended without being read; null if they stay as they are. */
  readonly close: string | null;
}

/** SQL fragments of a projection. Rows have the alias `r`, with `place`, their position in the batch. */
export interface ProjectionSql {
  /** `unnest(…) AS r (…)`: where the rows come from. */
  readonly rows: string;
  /** Condition that the transition of the row is written. Every statement that writes rows must include it. */
  readonly accepted: string;
  /** `INSERT INTO table (…) SELECT … FROM rows WHERE accepted`. */
  readonly insert: string;
}

/** Input of {@link defineTable}. */
export interface TableDeclaration<Row> {
  /** Table name in the schema `orchestrator`; defaults to the name of the projection. */
  readonly table?: string;
  /** Column for the id of the entity that writes the row; `run_id` by default. It is not listed in `columns`. */
  readonly idColumn?: string;
  /** By column name. */
  readonly columns: Readonly<Record<string, Column<Row>>>;
  readonly write: (sql: ProjectionSql) => string;
  /**
   * Condition that finds the rows of the deleted run `g` in the table `t`, as fast as its indexes allow. Defaults to
   * `t.run_id = g.run_id`. `$1` is the shard of the run. Null if the rows belong to no run.
   */
  readonly ofRun?: string | null;
  /**
   * Statement that updates the rows of `ended`, the run that was ended without being read, for tables that show what is
   * open. `$4` is the time, milliseconds.
   */
  readonly close?: string;
}

/** Declares the table of a projection. */
export function defineTable<Row extends object>(
  projection: string,
  declaration: TableDeclaration<Row>,
): ProjectionTable<Row> {
  const { table = projection, idColumn = "run_id", write, ofRun = "t.run_id = g.run_id", close } = declaration;
  const columns = { [idColumn]: id<Row>((_, { runId }) => runId), ...declaration.columns };
  const set = defineRows<Row>(projection, "r", columns, { ordered: true });
  const names = set.columns.map(({ name }) => name);
  const values = set.columns.map(({ name, toSql }) => toSql(`r.${name}`));
  const accepted = `r.${idColumn} IN (SELECT run_id FROM accepted)`;
  const insert = `INSERT INTO orchestrator.${table} (${names.join(", ")})
  SELECT ${values.join(", ")}
  FROM ${set.rows}
  WHERE ${accepted}`;
  return {
    projection,
    set,
    write: `${projection}_rows AS (\n  ${write({ rows: set.rows, accepted, insert })}\n)`,
    erase:
      ofRun === null
        ? null
        : `${projection}_erased AS (\n  DELETE FROM orchestrator.${table} t USING gone g WHERE ${ofRun}\n)`,
    close: close === undefined ? null : `${projection}_closed AS (\n  ${close}\n)`,
  };
}
