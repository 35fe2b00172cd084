/**
 * Shows goals in the tables `tasks` and `task_results` (see ../sql/goal-table-places.ts), and keeps them right.
 *
 *   a goal changes ──→ marked, in the statement that changes it ──→ shown, in a transaction here: the mark goes
 *                        ↑                                            │
 *                        └──── put off, tried again later ←───────────┘ a row is locked or refused
 *
 * Others may lock the tables, alter them, refer to them, and have triggers on them. So the journal writes marks only,
 * and here every wait is bounded. A page that fails is halved until the goal stands alone that cannot be shown; that
 * one waits longer from try to try. An erased goal whose row cannot be deleted leaves a row without text.
 */
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { findGoalTables } from "../sql/goal-table-places.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, type SqlRunner } from "../sql/sql.ts";
import { type StoreFailureKind, storeFailureOf } from "../sql/sqlstate.ts";
import { blankRows, compareRows, FIRST_ID, type Side, writeRows } from "./shown-rows.ts";

/** Marks that are read at once. */
const PAGE_MARKS = 256;

/** Goals that are tried again at once. */
const PAGE_RETRIES = 16;

/** A goal that is only locked is no trouble before it was tried this often, about half a minute. */
const PATIENT_TRIES = 5;

/** Longest waits, for another instance that writes, the tables, and a row; and longest statement, milliseconds. */
const TURN_MS = 1_000;
const TABLE_MS = 200;
const ROW_MS = 100;
const STATEMENT_MS = 2_000;

const READ_NEW = prepared(
  "unshown_goals.new",
  `SELECT u.mark::text AS mark, u.run_id FROM orchestrator.unshown_goals u WHERE u.retry_at IS NULL ORDER BY u.mark LIMIT ${PAGE_MARKS}`,
);

const READ_DUE = prepared(
  "unshown_goals.due",
  `SELECT u.mark::text AS mark, u.run_id FROM orchestrator.unshown_goals u WHERE u.retry_at <= statement_timestamp()
  ORDER BY u.retry_at LIMIT ${PAGE_RETRIES}`,
);

const REMOVE = prepared("unshown_goals.remove", "DELETE FROM orchestrator.unshown_goals WHERE mark = ANY($1::int8[])");

// From 2 seconds to about an hour.
const PUT_OFF = prepared(
  "unshown_goals.put_off",
  `UPDATE orchestrator.unshown_goals SET failures = failures + 1,
    retry_at = statement_timestamp() + 2 ^ least(failures + 1, 12) * interval '1 second'
  WHERE run_id = $1 RETURNING failures`,
);

const RETRY_ALL = prepared(
  "unshown_goals.retry_all",
  "UPDATE orchestrator.unshown_goals SET retry_at = statement_timestamp() WHERE retry_at > statement_timestamp()",
);

const HAS_FAILED = prepared(
  "unshown_goals.has_failed",
  "SELECT EXISTS (SELECT FROM orchestrator.unshown_goals WHERE retry_at IS NOT NULL) AS found",
);

const SETTINGS = `SELECT set_config('orchestrator.shows_goals', 'on', true),
  set_config('lock_timeout', '${TURN_MS}', true), set_config('statement_timeout', '${STATEMENT_MS}', true),
  set_config('synchronous_commit', 'off', true)`;

// One instance at a time writes the tables: a goal that was read earlier must not be written later.
const TAKE_TURN = prepared("unshown_goals.turn", "SELECT pg_advisory_xact_lock(7310416286)");

const BOUND_LOCKS = prepared("unshown_goals.bound", "SELECT set_config('lock_timeout', $1, true)");

/** A goal that has changed, and what marks it. */
interface Marked {
  readonly goalId: string;
  readonly marks: readonly string[];
}

/** Writes the tables. All of it throws if the database or a table cannot be reached: locked, or gone. */
export interface GoalTableWriter {
  /** Shows the goals that have changed. What cannot be shown is put off. */
  showChanged(): Promise<void>;
  /** Some goals were put off, as far as this instance knows. */
  readonly hasPutOff: boolean;
  /** Tries the next goals again that were put off, those whose time has come. */
  retry(): Promise<void>;
  /** All that were put off are due. */
  retryAll(): Promise<void>;
  /** Compares a page of goals and rows, and marks what differs. Returns whether there are more. */
  compare(): Promise<boolean>;
}

/** Creates the writer. The first goal that cannot be shown is logged, and when all are shown again. */
export function createGoalTableWriter(database: Database, log: Log): GoalTableWriter {
  let isTold = false;
  let hasPutOff = true;
  let place: { readonly side: Side; readonly after: string } = { side: "goals", after: "" };

  const showPage = async (page: readonly Marked[]): Promise<void> => {
    let reached = false;
    try {
      await database.reads.transaction(async (runner) => {
        const schema = await reach(runner);
        reached = true;
        const marks = page.flatMap((one) => one.marks);
        await runner.query(REMOVE, [marks]);
        const goalIds = page.map(({ goalId }) => goalId);
        await writeRows(runner, schema, goalIds);
      });
    } catch (error) {
      if (!reached || !isOfRows(error)) throw error;
      const [first] = page;
      if (first === undefined) return;
      if (page.length === 1) return putOff(first.goalId, error);
      const half = Math.ceil(page.length / 2);
      await showPage(page.slice(0, half));
      await showPage(page.slice(half));
    }
  };

  const putOff = async (goalId: string, error: unknown): Promise<void> => {
    hasPutOff = true;
    try {
      await database.reads.transaction(async (runner) => blankRows(runner, await reach(runner), goalId));
    } catch (blanking) {
      // What keeps the row keeps its text, too. It is tried again with the rest.
      if (!isOfRows(blanking)) throw blanking;
    }
    const { rows } = await database.reads.query<{ failures: number }>(PUT_OFF, [goalId]);
    const isPatient = storeFailureOf(error)?.kind === "timeout" && (rows[0]?.failures ?? 0) < PATIENT_TRIES;
    if (isTold || isPatient) return;
    isTold = true;
    log.warn(
      "the tables tasks and task_results cannot show a goal, and others perhaps: they are tried again from time to time, and goals go on; see orchestrator_unshown_goals",
      { goalId, problem: problemOf(error) },
    );
  };

  return {
    get hasPutOff() {
      return hasPutOff;
    },
    showChanged: async () => {
      for (;;) {
        const { rows } = await database.reads.query<MarkRow>(READ_NEW);
        if (rows.length > 0) await showPage(toMarked(rows));
        if (rows.length < PAGE_MARKS) return;
      }
    },
    retry: async () => {
      const { rows } = await database.reads.query<MarkRow>(READ_DUE);
      if (rows.length > 0) await showPage(toMarked(rows));
      if (rows.length > 0) hasPutOff = true;
      if (!hasPutOff) return;
      const left = await database.reads.query<{ found: boolean }>(HAS_FAILED);
      if (left.rows[0]?.found !== false) return;
      hasPutOff = false;
      if (!isTold) return;
      isTold = false;
      log.info("the tables tasks and task_results show all goals again");
    },
    retryAll: async () => {
      await database.reads.query(RETRY_ALL);
    },
    compare: async () => {
      const { side, after } = place;
      const { last, wrong } = await database.reads.transaction(async (runner) =>
        compareRows(runner, await reach(runner), side, after),
      );
      if (wrong > 0)
        log.warn("rows of tasks and task_results were not what goals say, and are corrected", { count: wrong });
      if (last !== null) place = { side, after: last };
      else place = side === "goals" ? { side: "rows", after: FIRST_ID } : { side: "goals", after: "" };
      return last !== null || side === "goals";
    },
  };
}

/** Makes the tables ready to be written in this transaction, without waiting long. Returns their schema. */
async function reach(runner: SqlRunner): Promise<string> {
  await runner.query(SETTINGS);
  await runner.query(TAKE_TURN);
  const { current } = await findGoalTables(runner, "");
  if (current === null)
    return fail("STORE_REJECTED", {
      problem: "one of tasks and task_results is gone; a start makes it again",
      sqlState: "",
    });
  await runner.query(BOUND_LOCKS, [String(TABLE_MS)]);
  await runner.query(`LOCK TABLE "${current}".tasks, "${current}".task_results IN ROW EXCLUSIVE MODE`);
  await runner.query(BOUND_LOCKS, [String(ROW_MS)]);
  return current;
}

/** Failures of the database itself; all others are about rows, their locks, or what others have made of the tables. */
const OF_THE_DATABASE: ReadonlySet<StoreFailureKind> = new Set(["unavailable", "overload", "full"]);

function isOfRows(error: unknown): boolean {
  const failure = storeFailureOf(error);
  return failure !== undefined && !failure.connectionLost && !OF_THE_DATABASE.has(failure.kind);
}

/** In the words of the server, which hold no values of rows. */
function problemOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

interface MarkRow {
  readonly mark: string;
  readonly run_id: string;
}

function toMarked(rows: readonly MarkRow[]): readonly Marked[] {
  return [...Map.groupBy(rows, ({ run_id }) => run_id)].map(([goalId, marks]) => ({
    goalId,
    marks: marks.map(({ mark }) => mark),
  }));
}
