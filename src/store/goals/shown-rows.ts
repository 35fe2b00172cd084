/** The rows of `tasks` and `task_results` as goals say them: written, blanked, and compared. */
import type { SqlRunner } from "../sql/sql.ts";

/** Goals that are compared at once. */
const PAGE_ROWS = 1_000;

/** Columns of `tasks`, and what a goal `g` says of them. The others have their defaults. */
const TASK: readonly (readonly [column: string, value: string])[] = [
  ["goal", "g.goal"],
  ["status", "g.status::SCHEMA.taskstatus"],
  ["priority", "g.priority::SCHEMA.priority"],
  ["constraints", "g.constraints"],
  ["context", "g.context"],
  ["acceptance_criteria", "g.acceptance_criteria"],
  ["max_cost_usd", "trim_scale(g.max_cost_micros / 1000000.0)"],
  ["max_time_seconds", "g.max_time_seconds"],
  ["max_tokens", "g.max_tokens"],
  ["created_at", "g.created_at AT TIME ZONE 'UTC'"],
  ["updated_at", "g.updated_at AT TIME ZONE 'UTC'"],
];

/** The same of `task_results`. */
const RESULT: typeof TASK = [
  ["task_id", "g.run_id::uuid"],
  ["result_data", "g.result -> 'output'"],
  ["confidence", "(g.result ->> 'confidence')::numeric"],
  ["created_at", "g.updated_at AT TIME ZONE 'UTC'"],
];

const RESULT_ID = "md5(g.run_id || '/result')::uuid";

type Columns = typeof TASK;
const columns = (list: Columns, prefix = ""): string => list.map(([column]) => prefix + column).join(", ");
const values = (list: Columns): string => list.map(([, value]) => value).join(", ");
const excluded = (list: Columns): string => list.map(([column]) => `${column} = excluded.${column}`).join(", ");

/** Names of the schema go in where SCHEMA stands. */
const inSchema = (schema: string, text: string): string => text.replaceAll("SCHEMA", `"${schema}"`);

const DROP_RESULTS = `DELETE FROM SCHEMA.task_results r WHERE r.task_id = ANY($1::text[]::uuid[])
  AND NOT EXISTS (SELECT FROM orchestrator.goals g
    WHERE g.run_id = r.task_id::text AND g.result IS NOT NULL AND r.id = ${RESULT_ID})`;

const PUT_TASKS = `INSERT INTO SCHEMA.tasks (id, ${columns(TASK)})
  SELECT g.run_id::uuid, ${values(TASK)} FROM orchestrator.goals g WHERE g.run_id = ANY($1::text[]) ORDER BY g.run_id
  ON CONFLICT (id) DO UPDATE SET ${excluded(TASK)}`;

const PUT_RESULTS = `INSERT INTO SCHEMA.task_results (id, ${columns(RESULT)})
  SELECT ${RESULT_ID}, ${values(RESULT)} FROM orchestrator.goals g
  WHERE g.run_id = ANY($1::text[]) AND g.result IS NOT NULL ORDER BY g.run_id
  ON CONFLICT (id) DO UPDATE SET ${excluded(RESULT)}`;

const DROP_TASKS = `DELETE FROM SCHEMA.tasks t WHERE t.id = ANY($1::text[]::uuid[])
  AND NOT EXISTS (SELECT FROM orchestrator.goals g WHERE g.run_id = t.id::text)`;

/** Makes the rows of these goals what they say. */
export async function writeRows(runner: SqlRunner, schema: string, goalIds: readonly string[]): Promise<void> {
  for (const statement of [DROP_RESULTS, PUT_TASKS, PUT_RESULTS, DROP_TASKS])
    await runner.query(inSchema(schema, statement), [goalIds]);
}

const BLANK_RESULTS = `UPDATE SCHEMA.task_results r SET result_data = 'null', confidence = NULL
  WHERE r.task_id = $1::text::uuid AND NOT EXISTS (SELECT FROM orchestrator.goals g WHERE g.run_id = $1)`;

const BLANK_TASK = `UPDATE SCHEMA.tasks t
  SET goal = '', constraints = '[]', context = '{}', acceptance_criteria = '[]', task_metadata = '{}'
  WHERE t.id = $1::text::uuid AND NOT EXISTS (SELECT FROM orchestrator.goals g WHERE g.run_id = $1)`;

/** Takes the text out of the rows of a goal that is erased and whose rows cannot be deleted. */
export async function blankRows(runner: SqlRunner, schema: string, goalId: string): Promise<void> {
  for (const statement of [BLANK_RESULTS, BLANK_TASK]) await runner.query(inSchema(schema, statement), [goalId]);
}

const UNMARKED = "NOT EXISTS (SELECT FROM orchestrator.unshown_goals u WHERE u.run_id = p.run_id)";

const COMPARE_GOALS = `WITH page AS MATERIALIZED (
  SELECT g.* FROM orchestrator.goals g WHERE g.run_id > $1 ORDER BY g.run_id LIMIT ${PAGE_ROWS}
),
wrong AS (
  INSERT INTO orchestrator.unshown_goals (run_id)
  SELECT p.run_id FROM (
    SELECT g.run_id, (t.id IS NOT NULL AND (${columns(TASK, "t.")}) IS NOT DISTINCT FROM (${values(TASK)})
      AND (g.result IS NULL OR (${columns(RESULT, "r.")}) IS NOT DISTINCT FROM (${values(RESULT)}))) AS is_right
    FROM page g LEFT JOIN SCHEMA.tasks t ON t.id = g.run_id::uuid
    LEFT JOIN SCHEMA.task_results r ON r.id = ${RESULT_ID}
  ) p WHERE NOT p.is_right AND ${UNMARKED}
  RETURNING 1
)
SELECT (SELECT max(run_id) FROM page) AS last, (SELECT count(*) FROM wrong) AS wrong`;

const COMPARE_TASKS = `WITH page AS MATERIALIZED (
  SELECT t.id, t.id::text AS run_id FROM SCHEMA.tasks t WHERE t.id > $1::text::uuid ORDER BY t.id LIMIT ${PAGE_ROWS}
),
wrong AS (
  INSERT INTO orchestrator.unshown_goals (run_id)
  SELECT p.run_id FROM page p LEFT JOIN orchestrator.goals g ON g.run_id = p.run_id
  WHERE (g.run_id IS NULL OR EXISTS (SELECT FROM SCHEMA.task_results r
      WHERE r.task_id = p.id AND (g.result IS NULL OR r.id <> ${RESULT_ID})))
    AND ${UNMARKED}
  RETURNING 1
)
SELECT (SELECT p.run_id FROM page p ORDER BY p.id DESC LIMIT 1) AS last, (SELECT count(*) FROM wrong) AS wrong`;

/** What is compared with what. */
export type Side = "goals" | "rows";

/** Ids come after this one. */
export const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/**
 * Marks goals whose rows are not what they say, of a page of goals or rows. Returns the last id of the page, null if it
 * is empty, and how many it marked.
 */
export async function compareRows(
  runner: SqlRunner,
  schema: string,
  side: Side,
  after: string,
): Promise<{ readonly last: string | null; readonly wrong: number }> {
  const statement = side === "goals" ? COMPARE_GOALS : COMPARE_TASKS;
  const { rows } = await runner.query<{ last: string | null; wrong: number }>(inSchema(schema, statement), [after]);
  return rows[0] ?? { last: null, wrong: 0 };
}
