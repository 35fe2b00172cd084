import { type Column, id } from "./columns.ts";
import { defineRows, type RowSet } from "./row-set.ts";

/** The store's side of a projection: the table, its columns, and how a batch writes it. */
export interface ProjectionTable<Row extends object> {
  /** Name of the projection, as its row maker says it. */
  readonly projection: string;
  readonly set: RowSet<Row>;
  /** The CTE that writes the rows; it may use `accepted`, the runs whose moves are written. */
  readonly write: string;
  /** The statement that deletes the rows of a deleted run; null: they stay. */
  readonly erase: string | null;
  /** The statement that writes the rows of a run that was ended without being read; null: they stay as they are. */
  readonly close: string | null;
}

/** Parts of the text of a projection. Rows have the alias `r`, with `place`, their position in the batch. */
export interface ProjectionSql {
  /** `unnest(…) AS r (…)`: where the rows come from. */
  readonly rows: string;
  /** A condition: the move of the row is written. Whatever writes rows must have it. */
  readonly accepted: string;
  /** `INSERT INTO table (…) SELECT … FROM rows WHERE accepted`. */
  readonly insert: string;
}

/** What {@link defineTable} is told. */
export interface TableDeclaration<Row> {
  /** Name of the table in the schema `orchestrator`; by default that of the projection. */
  readonly table?: string;
  /** The column for the id of the entity that writes the row; `run_id` by default. It is not among `columns`. */
  readonly idColumn?: string;
  /** By name in the table. */
  readonly columns: Readonly<Record<string, Column<Row>>>;
  readonly write: (sql: ProjectionSql) => string;
  /**
   * What finds the rows of the deleted run `g` in the table `t`, as fast as its indexes allow; by default `t.run_id = g.run_id`. `$1` is the shard of the run.
   * Null: the rows belong to no run.
   */
  readonly ofRun?: string | null;
  /** A statement that writes the rows of `ended`, the run that was ended without being read, for tables that show what is open. `$4` is the time, milliseconds. */
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
