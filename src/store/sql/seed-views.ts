/**
 * Where the views are that have the names of other systems' tables: in the schema that the settings name, or, if
 * somebody else's tables have the names there, in ours, out of the way. Tables that exist never stop a start, and
 * nothing is done to them.
 */
import type { Log } from "../../base/log.ts";
import type { SqlRunner } from "./sql.ts";

const VIEWS = ["flow_run_history", "task_execution_history"] as const;

/** Our schema, in which no name can be taken. */
const OWN_SCHEMA = "orchestrator";

// Ours is what reads the journal: a view of somebody else who reads ours does not.
const FIND = `SELECT n.nspname AS schema, c.relname AS name,
    EXISTS (
      SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
      WHERE w.ev_class = c.oid AND d.refobjid = to_regclass('orchestrator.journal')
    ) AS ours
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ANY($1)`;

/** Where the views are and belong. */
export interface ViewPlaces {
  /** Where they are; in a new database, where they will be made. */
  readonly current: string;
  /** Where they belong. */
  readonly wanted: string;
  /** Tables of somebody else that have their names in the schema of the settings. */
  readonly taken: readonly string[];
}

/** Finds the places, given the schema of the settings, which is made if it is missing. */
export async function findViewPlaces(runner: SqlRunner, schema: string): Promise<ViewPlaces> {
  const { rows } = await runner.query<{ schema: string; name: string; ours: boolean }>(FIND, [[...VIEWS]]);
  const taken = rows.flatMap((row) => (!row.ours && row.schema === schema ? [`${schema}.${row.name}`] : []));
  const wanted = taken.length === 0 ? schema : OWN_SCHEMA;
  return { current: rows.find(({ ours }) => ours)?.schema ?? wanted, wanted, taken };
}

/** The text of a migration, which was written for the schema `public`, for the schema in which the views are. */
export function placeViews(sql: string, schema: string): string {
  if (schema === "public") return sql;
  return sql
    .replaceAll(new RegExp(`\\bpublic\\.(${VIEWS.join("|")})\\b`, "g"), `"${schema}".$1`)
    .replaceAll("'public'::regnamespace", `'"${schema}"'::regnamespace`);
}

/** Moves the views to where they belong. Call it in a transaction that holds the lock of the migrations. */
export async function moveViews(runner: SqlRunner, { current, wanted }: ViewPlaces): Promise<void> {
  if (current === wanted) return;
  await makeSchema(runner, wanted);
  for (const view of VIEWS) await runner.query(`ALTER VIEW "${current}".${view} SET SCHEMA "${wanted}"`);
}

/** Makes a schema for the views. A role that may make none is no obstacle if it is there. */
export async function makeSchema(runner: SqlRunner, schema: string): Promise<void> {
  const { rows } = await runner.query<{ found: boolean }>("SELECT to_regnamespace($1) IS NOT NULL AS found", [
    `"${schema}"`,
  ]);
  if (rows[0]?.found !== true) await runner.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
}

/** Says where the history is when it is not where it is looked for. */
export function warnOfTakenNames({ wanted, taken }: ViewPlaces, log: Log): void {
  if (taken.length === 0) return;
  log.warn(
    "tables of somebody else have the names of the history of runs and tasks, which is shown elsewhere: rename them, or name another schema in legacy.schema",
    { taken, shown: VIEWS.map((view) => `${wanted}.${view}`) },
  );
}
