/**
 * The group commit statement. One statement is one batch: the fence, journal, run headers, keys, and projections are
 * committed together or not at all.
 *
 * It has two forms. The *whole* form writes a batch of transitions and headers if all of it may be written: all shards
 * held, no early timer. It compares one boolean and joins nothing, which takes the server a sixth less time. If
 * anything prevents a single transition from being written, it writes nothing and reports that, and the *sorting* form
 * follows: it leaves out what must not be written and reports what it wrote. Batches with keys or projection rows start
 * with the sorting form.
 *
 * Parts that a batch does not need cost server time even if they get no rows, so each form has variants. The sorting
 * form has one without projections, one for each single projection, and one for all of them. The number of plans that a
 * connection caches thus grows with the projections, not with their combinations.
 */
import type { HeaderRow, StartRow, Transition } from "../../engine/ports/journal.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import { prepared, type Statement } from "../sql/sql.ts";
import { bool, exactText, flag, id, jsonObject, number, optionalTime, safeText, text, timeOf } from "./columns.ts";
import type { ProjectionTable } from "./projection-table.ts";
import { defineRows, numberParameters, type RowSet } from "./row-set.ts";

export type AnyTable = ProjectionTable<never>;

/** A start key, with the tenant of its run. */
export interface KeyRow {
  readonly tenantId: string;
  readonly key: StartRow["keys"][number];
}

/** A transition that starts a run. */
export type StartTransition = Transition & { readonly start: StartRow };

/** A transition that changes the header of its run. */
export type HeaderTransition = Transition & { readonly header: HeaderRow };

/** Whether a key, or its run id, can cause the start to be refused. */
export const isKeyed = (start: StartRow): boolean =>
  start.keys.length > 0 || start.runKey !== "" || start.named === true;

/** The leases under which a batch is written. */
export const LEASES = defineRows<Lease>("leases", "w", {
  shard: number("int2", ({ shard }) => shard),
  epoch: number("int4", ({ epoch }) => epoch),
});

const TRANSITION_COLUMNS = {
  run_id: id<Transition>(({ runId }) => runId),
  run_day: number<Transition>("int4", ({ day }) => day),
  sequence: number<Transition>("int4", ({ sequence }) => sequence),
  record_count: number<Transition>("int4", ({ records }) => records.length),
  at: number<Transition>("float8", ({ at }) => at),
  records: safeText<Transition>(({ json }) => json),
};

/** Transitions in the form that writes all or nothing. */
export const TRANSITIONS = defineRows<Transition>("transitions", "m", TRANSITION_COLUMNS);

/** Transitions in the form that leaves some out. */
export const SORTED_TRANSITIONS = defineRows<Transition>("transitions", "m", {
  ...TRANSITION_COLUMNS,
  shard: number("int2", ({ shard }) => shard),
  due_at: optionalTime(({ dueAt }) => dueAt),
});

const START_COLUMNS = {
  run_id: id<StartTransition>(({ runId }) => runId),
  shard: number<StartTransition>("int2", ({ shard }) => shard),
  run_day: number<StartTransition>("int4", ({ day }) => day),
  at: number<StartTransition>("float8", ({ at }) => at),
  tenant_id: id<StartTransition>(({ start }) => start.tenantId),
  flow_id: exactText<StartTransition>(({ start }) => start.flowId),
  version: exactText<StartTransition>(({ start }) => start.version),
  flow_hash: exactText<StartTransition>(({ start }) => start.flowHash),
  state: safeText<StartTransition>(({ start }) => start.state),
  moving: bool<StartTransition>(({ start }) => start.moving),
  handed_out: flag<StartTransition>(({ start }) => start.handedOut),
  sequence: number<StartTransition>("int4", ({ start }) => start.sequence),
  wake_at: optionalTime<StartTransition>(({ start }) => start.wakeAt),
  deadline_at: optionalTime<StartTransition>(({ start }) => start.deadlineAt),
  labels: jsonObject<StartTransition>(({ start }) => start.labels),
  user_id: exactText<StartTransition>(({ start }) => start.userId),
  correlation_id: exactText<StartTransition>(({ start }) => start.correlationId),
  run_key: exactText<StartTransition>(({ start }) => start.runKey),
  parent_run_id: exactText<StartTransition>(({ start }) => start.parentRunId),
  parent_task: exactText<StartTransition>(({ start }) => start.parentTask),
  ended_at: optionalTime<StartTransition>(({ start }) => start.endedAt),
};

/** Headers of new runs, in the form that writes all or nothing. */
export const STARTS = defineRows<StartTransition>("starts", "s", START_COLUMNS);

/** Headers of new runs, in the form that leaves some out. */
export const SORTED_STARTS = defineRows<StartTransition>("starts", "s", {
  ...START_COLUMNS,
  keyed: flag(({ start }) => isKeyed(start)),
  named: flag(({ start }) => start.named === true),
});

export const CHANGES = defineRows<HeaderTransition>("changes", "c", {
  run_id: id(({ runId }) => runId),
  state: safeText(({ header }) => header.state),
  moving: bool(({ header }) => header.moving),
  handed_out: flag(({ header }) => header.handedOut),
  sequence: number("int4", ({ header }) => header.sequence),
  wake_at: optionalTime(({ header }) => header.wakeAt),
  updated_at: number("float8", ({ header }) => header.updatedAt),
  ended_at: optionalTime(({ header }) => header.endedAt),
});

export const KEYS = defineRows<KeyRow>("keys", "k", {
  run_id: id((_, { runId }) => runId),
  tenant_id: text(({ tenantId }) => tenantId),
  kind: safeText(({ key }) => key.kind),
  key: text(({ key }) => key.key),
  request_hash: text(({ key }) => key.hash),
});

const CLOCK = "extract(epoch FROM clock_timestamp())::float8 * 1000";

// Lease rows are locked FOR SHARE in shard order. A takeover updates them, so either it waits for this statement or
// this statement sees its epoch.
const HELD = `held AS MATERIALIZED (
  SELECT l.shard FROM orchestrator.shard_leases l
  JOIN ${LEASES.rows} ON w.shard = l.shard AND w.epoch = l.epoch
  ORDER BY l.shard FOR SHARE OF l
)`;

// Evaluated once, before anything is written. Whatever depends on it writes all of its rows or none.
const WHOLE = `whole AS MATERIALIZED (
  SELECT (SELECT count(*) FROM held) = $batch.leases::int8 AND $batch.due_at::float8 <= ${CLOCK} AS holds
)`;
const IF_WHOLE = "WHERE (SELECT holds FROM whole)";

const TRANSITIONS_CTE = `transitions AS MATERIALIZED (
  SELECT m.* FROM ${SORTED_TRANSITIONS.rows}
  JOIN held USING (shard)
  WHERE coalesce(m.due_at, 0) <= (SELECT ${CLOCK})
)`;

const insertRuns = (from: string): string => `INSERT INTO orchestrator.runs
    (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, handed_out, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
     parent_run_id, parent_task, created_at, updated_at, ended_at)
  SELECT s.run_id, s.shard, s.run_day, s.tenant_id, coalesce(s.flow_id, ''), coalesce(s.version, ''), coalesce(s.flow_hash, ''), s.state, s.moving, coalesce(s.handed_out, false), s.sequence, ${timeOf("s.wake_at")}, ${timeOf("s.deadline_at")},
    nullif(s.labels, '')::jsonb, coalesce(s.user_id, ''), coalesce(s.correlation_id, ''), coalesce(s.run_key, ''), coalesce(s.parent_run_id, ''),
    coalesce(s.parent_task, ''), to_timestamp(s.at / 1000), to_timestamp(s.at / 1000), ${timeOf("s.ended_at")}
  FROM ${from}`;

const changeRuns = (where: string): string => `changed AS (
  UPDATE orchestrator.runs r
  SET state = c.state, moving = c.moving, handed_out = coalesce(c.handed_out, false), sequence = c.sequence, wake_at = ${timeOf("c.wake_at")}, updated_at = to_timestamp(c.updated_at / 1000),
    ended_at = ${timeOf("c.ended_at")}
  FROM ${CHANGES.rows}
  ${where} AND r.run_id = c.run_id
)`;

const insertJournal = (from: string): string => `written AS (
  INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
  SELECT run_day, run_id, sequence, record_count, to_timestamp(at / 1000), records FROM ${from}
)`;

// A taken key keeps the run's rows out; so does a taken run id or open run key. Rows of `starts` are written in the
// order of their keys, and then runs in the order of their run keys, so that two batches cannot deadlock. A refused run
// may leave meaningless rows in `starts`. The same statement records that in `void_starts`: a row that is not listed
// there is kept forever, whatever happens to its run. See findConflict. A run id that was chosen outside needs no key
// of its own: it collides with the run that has it, or with the tombstone of the one that had it.
const KEYS_CTES = `starting AS MATERIALIZED (
  SELECT s.* FROM ${SORTED_STARTS.rows} WHERE s.run_id IN (SELECT run_id FROM transitions)
),
keys AS MATERIALIZED (
  SELECT k.* FROM ${KEYS.rows}
  JOIN transitions USING (run_id)
),
key_rows AS (
  INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash)
  SELECT tenant_id, kind, key, run_id, coalesce(request_hash, '') FROM keys ORDER BY tenant_id, kind, key
  ON CONFLICT DO NOTHING
  RETURNING tenant_id, kind, key, run_id
),
refused AS MATERIALIZED (
  (SELECT run_id FROM keys EXCEPT ALL SELECT run_id FROM key_rows)
  UNION ALL SELECT s.run_id FROM starting s
  JOIN orchestrator.starts d ON d.tenant_id = s.tenant_id AND d.kind = 'deleted' AND d.key = s.run_id
  WHERE s.named
),
started AS (${insertRuns("starting s")} WHERE s.keyed IS NOT TRUE),
started_keyed AS (
  ${insertRuns("starting s")} WHERE s.keyed AND s.run_id NOT IN (SELECT run_id FROM refused)
  ORDER BY s.tenant_id, s.flow_id, s.run_key, s.run_id
  ON CONFLICT DO NOTHING
  RETURNING run_id
),
void_rows AS (
  INSERT INTO orchestrator.void_starts (tenant_id, kind, key, run_id)
  SELECT tenant_id, kind, key, run_id FROM key_rows WHERE run_id NOT IN (SELECT run_id FROM started_keyed)
  ON CONFLICT DO NOTHING
),
accepted AS MATERIALIZED (
  SELECT run_id FROM transitions WHERE run_id NOT IN (SELECT run_id FROM starting WHERE keyed)
  UNION ALL SELECT run_id FROM started_keyed
)`;

/** One variant of the statement. Its parameters are the scalars, then the columns of the sets, in this order. */
function createStatement(
  name: string,
  scalars: readonly string[],
  sets: readonly RowSet<never>[],
  ctes: readonly string[],
  answer: string,
): Statement {
  const sql = `WITH ${ctes.join(",\n")}\nSELECT ${CLOCK} AS now, ${answer}`;
  const fullName = `journal.commit_${name}`;
  return prepared(fullName, numberParameters(fullName, sql, scalars, sets));
}

function createWhole(starts: boolean, changes: boolean): Statement {
  return createStatement(
    `whole${starts ? "_s" : ""}${changes ? "_c" : ""}`,
    ["leases", "due_at"],
    [LEASES, TRANSITIONS, ...(starts ? [STARTS] : []), ...(changes ? [CHANGES] : [])],
    [
      HELD,
      WHOLE,
      ...(starts ? [`started AS (${insertRuns(STARTS.rows)} ${IF_WHOLE})`] : []),
      ...(changes ? [changeRuns(IF_WHOLE)] : []),
      insertJournal(`${TRANSITIONS.rows} ${IF_WHOLE}`),
    ],
    "(SELECT holds FROM whole) AS whole",
  );
}

/** Writes all or nothing. Returns the clock and which of the two happened. */
export const COMMIT_WHOLE = {
  transitions: createWhole(false, false),
  starts: createWhole(true, false),
  changes: createWhole(false, true),
  both: createWhole(true, true),
} as const;

function createSorting(name: string, tables: readonly AnyTable[]): Statement {
  return createStatement(
    `sorting${name}`,
    ["transitions"],
    [LEASES, SORTED_TRANSITIONS, SORTED_STARTS, CHANGES, KEYS, ...tables.map(({ set }) => set)],
    [
      HELD,
      TRANSITIONS_CTE,
      KEYS_CTES,
      changeRuns("WHERE c.run_id IN (SELECT run_id FROM transitions)"),
      insertJournal("transitions WHERE run_id IN (SELECT run_id FROM accepted)"),
      ...tables.map(({ write }) => write),
    ],
    `(SELECT array_agg(shard) FROM held) AS held,
  (SELECT coalesce(array_agg(run_id), '{}') FROM accepted HAVING count(*) < $batch.transitions::int4) AS accepted`,
  );
}

/**
 * Variants of the form that writes what may be written. Each returns the clock, the shards held and, if anything was
 * left out, the runs that were written.
 */
export interface SortingStatements {
  readonly tables: readonly AnyTable[];
  readonly none: Statement;
  /** For rows of one projection, in the order of `tables`. */
  readonly one: readonly Statement[];
  readonly all: Statement;
}

/** Creates the variants for these projections. Throws if two projections have the same name. */
export function createSortingStatements(tables: readonly AnyTable[]): SortingStatements {
  return {
    tables,
    none: createSorting("", []),
    one: tables.map((table) => createSorting(`_${table.projection}`, [table])),
    all: createSorting("_all", tables),
  };
}
