/**
 * The tables `tasks` and `task_results`, which show goals to those who read them with SQL: where they are. What writes
 * them is ../goals/goal-tables.ts; a trigger refuses every other write, that of the owner of the tables included, which
 * grants could not.
 *
 * They are in the schema that the settings name, or in ours, out of the way, if somebody else has a table or type of
 * one of their names there. Nothing is done to what is somebody else's, and it stops no start. Tables of ours that
 * somebody has dropped are made again at the next start, and filled after it; until then, goals go on without them.
 */
import type { Log } from "../../base/log.ts";
import type { SqlRunner } from "./sql.ts";

const TABLES = ["tasks", "task_results"] as const;
const INDEXES = ["idx_tasks_status", "idx_tasks_created_at", "idx_task_results_task_id"] as const;
/** Clients that map enums by the names of their classes cast to these. */
const TYPES = ["taskstatus", "priority"] as const;

/** Our schema, in which no name can be taken. */
const OWN_SCHEMA = "orchestrator";

/** The comment of our types, by which they are known once their tables are gone. */
const OF_GOALS = "Of the goals of the orchestrator.";

// Ours are the tables that our trigger guards, their indexes, and the types with our comment.
const FIND = `WITH ours AS (
  SELECT DISTINCT t.tgrelid AS oid FROM pg_trigger t
  WHERE t.tgfoid = to_regprocedure('orchestrator.refuse_to_write_goals()')
),
named AS (
  SELECT c.relnamespace AS schema, c.relname AS name,
    coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid), c.oid) IN (SELECT oid FROM ours) AS ours
  FROM pg_class c WHERE c.relname = ANY($1)
  UNION ALL
  SELECT t.typnamespace, t.typname, coalesce(obj_description(t.oid, 'pg_type') = '${OF_GOALS}', false)
  FROM pg_type t WHERE t.typname = ANY($2) AND t.typrelid = 0
)
SELECT to_regclass('orchestrator.goals') IS NOT NULL AS shown, n.nspname AS schema, d.name, d.ours
FROM (SELECT) AS one LEFT JOIN (named d JOIN pg_namespace n ON n.oid = d.schema) ON true`;

interface Named {
  /** Whether there are goals to show. */
  readonly shown: boolean;
  readonly schema: string | null;
  readonly name: string | null;
  readonly ours: boolean | null;
}

/** Where the tables are and belong. */
export interface GoalTablePlaces {
  /** Whether there are goals to show. */
  readonly isShown: boolean;
  /** Where both are; null: one of them is not there. */
  readonly current: string | null;
  readonly wanted: string;
  /** What is somebody else's and has one of their names in the schema of the settings. */
  readonly taken: readonly string[];
}

/** Finds the places, given the schema of the settings. */
export async function findGoalTables(runner: SqlRunner, schema: string): Promise<GoalTablePlaces> {
  const { rows } = await runner.query<Named>(FIND, [
    [...TABLES, ...INDEXES],
    [...TABLES, ...TYPES],
  ]);
  // A schema of old migrations has no goals.
  const isShown = rows[0]?.shown === true;
  if (!isShown) return { isShown, current: schema, wanted: schema, taken: [] };
  const taken = rows.flatMap((row) => (row.ours === false && row.schema === schema ? [`${schema}.${row.name}`] : []));
  const ours = rows.filter((row) => row.ours === true && TABLES.some((table) => table === row.name));
  return {
    isShown,
    current: ours.length === TABLES.length ? (ours[0]?.schema ?? null) : null,
    wanted: taken.length === 0 ? schema : OWN_SCHEMA,
    taken,
  };
}

/**
 * Moves the tables to where they belong, or makes them, empty. Call it in a transaction that holds the lock of the
 * migrations, when the schema is there.
 */
export async function placeGoalTables(runner: SqlRunner, places: GoalTablePlaces): Promise<void> {
  const { isShown, current, wanted } = places;
  if (!isShown) return;
  await runner.query(guard());
  if (current === null) {
    await runner.query(dropOurs());
    await runner.query(makeTables(wanted));
  } else if (current !== wanted) {
    for (const table of TABLES) await runner.query(`ALTER TABLE "${current}".${table} SET SCHEMA "${wanted}"`);
    for (const type of TYPES) await runner.query(`ALTER TYPE "${current}".${type} SET SCHEMA "${wanted}"`);
  }
}

/** Says where the tables are when they are not where they are looked for. */
export function warnOfTakenGoalTables({ wanted, taken }: GoalTablePlaces, log: Log): void {
  if (taken.length === 0) return;
  log.warn(
    "tables or types of somebody else have the names under which goals are shown, which are shown elsewhere: rename them, or name another schema in legacy.schema",
    { taken, shown: TABLES.map((table) => `${wanted}.${table}`) },
  );
}

/** What is left of ours when a part is missing: a table, or the types of tables that somebody has dropped. */
function dropOurs(): string {
  return `DO $$
DECLARE one record;
BEGIN
  FOR one IN SELECT DISTINCT t.tgrelid::regclass AS name FROM pg_trigger t
    WHERE t.tgfoid = to_regprocedure('orchestrator.refuse_to_write_goals()')
  LOOP EXECUTE format('DROP TABLE %s CASCADE', one.name); END LOOP;
  FOR one IN SELECT t.oid::regtype AS name FROM pg_type t
    WHERE obj_description(t.oid, 'pg_type') = '${OF_GOALS}'
  LOOP EXECUTE format('DROP TYPE %s CASCADE', one.name); END LOOP;
END $$`;
}

function guard(): string {
  return `CREATE OR REPLACE FUNCTION orchestrator.refuse_to_write_goals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Our own transactions say so.
  IF current_setting('orchestrator.shows_goals', true) IS DISTINCT FROM 'on' THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format('%s.%s shows goals of the orchestrator and can only be read', TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'Goals are submitted with POST /submit or GoalService, and canceled with RunService.CancelRun.';
  END IF;
  RETURN NULL;
END $$`;
}

function makeTables(schema: string): string {
  const guards = TABLES.map(
    (table) => `CREATE TRIGGER read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "${schema}".${table}
  FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.refuse_to_write_goals();`,
  );
  return `CREATE TYPE "${schema}".taskstatus AS ENUM ('pending', 'processing', 'completed', 'failed', 'cancelled');
COMMENT ON TYPE "${schema}".taskstatus IS '${OF_GOALS}';
CREATE TYPE "${schema}".priority AS ENUM ('low', 'medium', 'high', 'critical');
COMMENT ON TYPE "${schema}".priority IS '${OF_GOALS}';
CREATE TABLE "${schema}".tasks (
  id uuid PRIMARY KEY,
  goal varchar NOT NULL,
  status "${schema}".taskstatus NOT NULL DEFAULT 'pending',
  priority "${schema}".priority NOT NULL DEFAULT 'medium',
  constraints jsonb DEFAULT '[]',
  context jsonb DEFAULT '{}',
  acceptance_criteria jsonb DEFAULT '[]',
  task_metadata jsonb DEFAULT '{}',
  assigned_arm varchar,
  max_cost_usd numeric DEFAULT 1.0,
  max_time_seconds integer DEFAULT 600,
  max_tokens integer DEFAULT 10000,
  created_at timestamp DEFAULT now(),
  updated_at timestamp DEFAULT now()
);
CREATE INDEX idx_tasks_status ON "${schema}".tasks (status);
CREATE INDEX idx_tasks_created_at ON "${schema}".tasks (created_at);
CREATE TABLE "${schema}".task_results (
  id uuid PRIMARY KEY,
  task_id uuid NOT NULL REFERENCES "${schema}".tasks (id) ON DELETE CASCADE,
  result_data jsonb NOT NULL,
  confidence numeric CHECK (confidence >= 0.0 AND confidence <= 1.0),
  created_at timestamp DEFAULT now()
);
CREATE INDEX idx_task_results_task_id ON "${schema}".task_results (task_id);
${guards.join("\n")}`;
}
