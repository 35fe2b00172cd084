/**
 * The statement of the group commit. One statement is one batch: fence, journal, headers, keys and what lists need are committed together or not at all.
 *
 * It has two forms. The *whole* form writes a batch of moves and headers when all of it may be written: all shards held, no timer early. It compares one truth
 * value and joins nothing, which takes the server a sixth less time. When something stands against a single move it writes nothing and says so, and the
 * *sorting* form follows: it leaves out what must not be written, and tells what it wrote. Batches with keys, approvals, dead letters or events begin there.
 *
 * Text columns travel as one text each, values joined by U+0001, and are split by the server: `string_to_array` costs less on both sides than array
 * literals, which must be quoted here and parsed there. No value can hold U+0001: JSON escapes control characters, and every other text is checked at the
 * edge and once more when it is encoded. Columns end with their last value that is not empty (or not 0), so that those which nobody uses cost nothing; the
 * server reads what is missing as NULL.
 */
import { prepared, type Statement } from "../sql/sql.ts";

const texts = (parameter: number): string => `string_to_array($${parameter}, E'\\x01')`;
const text = (column: string): string => `coalesce(${column}, '')`;
const time = (column: string): string => `CASE WHEN ${column} > 0 THEN to_timestamp(${column} / 1000) END`;
const CLOCK = "extract(epoch FROM clock_timestamp())::float8 * 1000";

// The lease rows are locked in the order of their shards, FOR SHARE: a takeover, which updates them, waits for this statement or this statement sees its epoch.
const HELD = `held AS MATERIALIZED (
  SELECT l.shard FROM orchestrator.shard_leases l
  JOIN unnest($1::int2[], $2::int4[]) AS w (shard, epoch) ON w.shard = l.shard AND w.epoch = l.epoch
  ORDER BY l.shard FOR SHARE OF l
)`;

// Read once and before anything is written: whoever depends on it writes all of its rows or none.
const WHOLE = `whole AS MATERIALIZED (
  SELECT (SELECT count(*) FROM held) = $3::int8 AND $4::float8 <= ${CLOCK} AS holds
)`;
const IF_WHOLE = "WHERE (SELECT holds FROM whole)";

const MOVES = `moves AS MATERIALIZED (
  SELECT m.* FROM unnest($5::int2[], ${texts(6)}, $7::int4[], $8::int4[], $9::int4[], $10::float8[], $11::float8[], ${texts(12)})
    AS m (shard, run_id, run_day, sequence, record_count, at, due_at, records)
  JOIN held USING (shard)
  WHERE coalesce(m.due_at, 0) <= (SELECT ${CLOCK})
)`;

const STARTS = `unnest(${texts(14)}, $15::int2[], $16::int4[], $17::float8[], ${texts(18)}, ${texts(19)}, ${texts(20)}, ${texts(21)}, ${texts(22)}, $23::bool[], $24::int4[],
      $25::float8[], $26::float8[], ${texts(27)}, ${texts(28)}, ${texts(29)}, ${texts(30)}, ${texts(31)}, ${texts(32)}, $33::float8[], $34::bool[])
    AS s (run_id, shard, run_day, at, tenant_id, flow_id, version, flow_hash, state, moving, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
      parent_run_id, parent_task, ended_at, keyed)`;

const insertRuns = (from: string): string => `INSERT INTO orchestrator.runs
    (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
     parent_run_id, parent_task, created_at, updated_at, ended_at)
  SELECT s.run_id, s.shard, s.run_day, s.tenant_id, s.flow_id, s.version, s.flow_hash, s.state, s.moving, s.sequence, ${time("s.wake_at")}, ${time("s.deadline_at")},
    nullif(s.labels, '')::jsonb, ${text("s.user_id")}, ${text("s.correlation_id")}, ${text("s.run_key")}, ${text("s.parent_run_id")}, ${text("s.parent_task")},
    to_timestamp(s.at / 1000), to_timestamp(s.at / 1000), ${time("s.ended_at")}
  FROM ${from}`;

const changeRuns = (where: string): string => `changed AS (
  UPDATE orchestrator.runs r
  SET state = c.state, moving = c.moving, sequence = c.sequence, wake_at = ${time("c.wake_at")}, updated_at = to_timestamp(c.updated_at / 1000),
    ended_at = ${time("c.ended_at")}
  FROM unnest(${texts(35)}, ${texts(36)}, $37::bool[], $38::int4[], $39::float8[], $40::float8[], $41::float8[])
    AS c (run_id, state, moving, sequence, wake_at, updated_at, ended_at)
  ${where} AND r.run_id = c.run_id
)`;

const insertJournal = (from: string): string => `written AS (
  INSERT INTO orchestrator.journal (run_day, run_id, sequence, record_count, written_at, records)
  SELECT run_day, run_id, sequence, record_count, to_timestamp(at / 1000), records FROM ${from}
)`;

const WHOLE_MOVES = `unnest($7::int4[], ${texts(6)}, $8::int4[], $9::int4[], $10::float8[], ${texts(12)})
    AS m (run_day, run_id, sequence, record_count, at, records)`;

// A key that is taken keeps the run's rows out; so does a run id or an open run key. Rows of `starts` are written in the order of their keys, and after them runs
// in the order of their run keys, so that two batches cannot deadlock. A refused run may leave rows in `starts` that mean nothing; the same statement
// says so in `void_starts`: a row that is not there is kept for ever, whatever becomes of its run. See findConflict.
const KEYS = `starting AS MATERIALIZED (
  SELECT s.* FROM ${STARTS} WHERE s.run_id IN (SELECT run_id FROM moves)
),
keys AS MATERIALIZED (
  SELECT k.* FROM unnest(${texts(42)}, ${texts(43)}, ${texts(44)}, ${texts(45)}, ${texts(46)}) AS k (run_id, tenant_id, kind, key, request_hash)
  JOIN moves USING (run_id)
),
key_rows AS (
  INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash)
  SELECT tenant_id, kind, key, run_id, ${text("request_hash")} FROM keys ORDER BY tenant_id, kind, key
  ON CONFLICT DO NOTHING
  RETURNING tenant_id, kind, key, run_id
),
refused AS MATERIALIZED (
  SELECT run_id FROM keys EXCEPT ALL SELECT run_id FROM key_rows
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
  SELECT run_id FROM moves WHERE run_id NOT IN (SELECT run_id FROM starting WHERE keyed)
  UNION ALL SELECT run_id FROM started_keyed
)`;

const LISTS = `approval_rows AS (
  INSERT INTO orchestrator.approvals (run_id, approval_id, task_path, tenant_id, flow_id, state, parameters, created_at, due_at, decided_at, decided_by, comment, data)
  SELECT a.run_id, a.approval_id, a.task_path, a.tenant_id, a.flow_id, a.state, ${text("a.parameters")}, to_timestamp(a.created_at / 1000), ${time("a.due_at")}, ${time("a.decided_at")},
    ${text("a.decided_by")}, ${text("a.comment")}, ${text("a.data")}
  FROM unnest(${texts(47)}, ${texts(48)}, ${texts(49)}, ${texts(50)}, ${texts(51)}, ${texts(52)}, $53::float8[], $54::float8[], $55::float8[], ${texts(56)}, ${texts(57)}, ${texts(58)}, $76::int4[])
    AS a (run_id, task_path, tenant_id, flow_id, state, parameters, created_at, due_at, decided_at, decided_by, comment, data, approval_id)
  WHERE a.run_id IN (SELECT run_id FROM accepted)
  ON CONFLICT (run_id, approval_id) DO UPDATE
  SET state = excluded.state, decided_at = excluded.decided_at, decided_by = excluded.decided_by, comment = excluded.comment, data = excluded.data
),
dead AS (
  INSERT INTO orchestrator.dead_letters (run_id, task_path, generation, tenant_id, flow_id, attempts, error_type, error_message, input, created_at, reason)
  SELECT d.run_id, d.task_path, d.generation, d.tenant_id, d.flow_id, d.attempts, ${text("d.error_type")}, ${text("d.error_message")}, ${text("d.input")}, to_timestamp(d.at / 1000), d.reason
  FROM unnest(${texts(59)}, ${texts(60)}, $61::int4[], ${texts(62)}, ${texts(63)}, $64::int4[], ${texts(65)}, ${texts(66)}, ${texts(67)}, $68::float8[], ${texts(77)})
    AS d (run_id, task_path, generation, tenant_id, flow_id, attempts, error_type, error_message, input, at, reason)
  WHERE d.run_id IN (SELECT run_id FROM accepted)
  ON CONFLICT DO NOTHING
),
sent AS (
  INSERT INTO orchestrator.outbox (shard, run_id, task_path, tenant_id, topic, key, payload, created_at)
  SELECT m.shard, o.run_id, o.task_path, o.tenant_id, o.topic, ${text("o.key")}, ${text("o.payload")}, to_timestamp(o.at / 1000)
  FROM unnest(${texts(69)}, ${texts(70)}, ${texts(71)}, ${texts(72)}, ${texts(73)}, ${texts(74)}, $75::float8[]) WITH ORDINALITY
    AS o (run_id, task_path, tenant_id, topic, key, payload, at, place)
  JOIN moves m USING (run_id)
  WHERE o.run_id IN (SELECT run_id FROM accepted)
  ORDER BY o.place
)`;

/** Number of parameters of the commit statement, over all forms. A form is sent those that it has. */
export const COMMIT_PARAMETERS = 77;

/** A form of the commit statement, and which of the numbered parameters it takes, in order. */
export interface CommitStatement {
  readonly statement: Statement;
  readonly parameters: readonly number[];
}

/** Numbers the parameters of a text without gaps, in the order of their first use. */
function createStatement(name: string, ctes: readonly string[], answer: string): CommitStatement {
  const parameters: number[] = [];
  const sql = `WITH ${ctes.join(",\n")}\nSELECT ${CLOCK} AS now, ${answer}`.replaceAll(
    /\$(\d+)/g,
    (_, digits: string) => {
      const parameter = Number(digits);
      if (!parameters.includes(parameter)) parameters.push(parameter);
      return `$${parameters.indexOf(parameter) + 1}`;
    },
  );
  return { statement: prepared(`journal.commit_${name}`, sql), parameters };
}

const createWhole = (starts: boolean, changes: boolean): CommitStatement =>
  createStatement(
    `whole${starts ? "_s" : ""}${changes ? "_c" : ""}`,
    [
      HELD,
      WHOLE,
      ...(starts ? [`started AS (${insertRuns(STARTS)} ${IF_WHOLE})`] : []),
      ...(changes ? [changeRuns(IF_WHOLE)] : []),
      insertJournal(`${WHOLE_MOVES} ${IF_WHOLE}`),
    ],
    "(SELECT holds FROM whole) AS whole",
  );

/*
 * Parameters: 1, 2 leases · 3 number of leases · 4 latest time at which a timer of the batch is due · 5 to 12 moves · 13 number of moves · 14 to 34 new headers ·
 * 35 to 41 changed headers · 42 to 46 keys · 47 to 58 and 76 approvals · 59 to 68 dead letters · 69 to 75 outbox
 */

/** Writes all or nothing, and answers with the clock and which of both: one statement for each kind of batch, for parts that are not there cost time. */
export const COMMIT_WHOLE = {
  moves: createWhole(false, false),
  starts: createWhole(true, false),
  changes: createWhole(false, true),
  both: createWhole(true, true),
} as const;

/** Writes what may be written. Answers with the clock, the shards held and, if something was left out, the runs that were written. */
export const COMMIT_SORTING: CommitStatement = createStatement(
  "sorting",
  [
    HELD,
    MOVES,
    KEYS,
    changeRuns("WHERE c.run_id IN (SELECT run_id FROM moves)"),
    insertJournal("moves WHERE run_id IN (SELECT run_id FROM accepted)"),
    LISTS,
  ],
  `(SELECT array_agg(shard) FROM held) AS held,
  (SELECT coalesce(array_agg(run_id), '{}') FROM accepted HAVING count(*) < $13::int4) AS accepted`,
);

/** A run with its header. */
export const LOAD_HEADER: Statement = prepared(
  "runs.load",
  `SELECT run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence, wake_at, deadline_at, labels, user_id, correlation_id, run_key,
    parent_run_id, parent_task, created_at, updated_at, ended_at
  FROM orchestrator.runs WHERE run_id = $1`,
);

/** The moves of a run from sequence $3 on, in order, whatever their rows say of their length: at most $4, and after the first one at most $5 bytes. Sizes are known without reading the rows' text. */
export const LOAD_MOVES: Statement = prepared(
  "journal.load",
  `SELECT sequence, record_count, records, found FROM (
    SELECT sequence, record_count, records, count(*) OVER ()::int4 AS found,
      sum(octet_length(records)) OVER (ORDER BY sequence) AS total, first_value(sequence) OVER (ORDER BY sequence) AS first
    FROM (
      SELECT sequence, record_count, records FROM orchestrator.journal
      WHERE run_day = $1 AND run_id = $2 AND (sequence >= $3 OR sequence::int8 + record_count > $3) ORDER BY sequence LIMIT $4
    ) page
  ) sized WHERE sequence = first OR total <= $5 ORDER BY sequence`,
);

/** Open runs that do something by themselves, and those whose time has passed. */
export const LIST_MOVING: Statement = prepared(
  "runs.list_moving",
  `SELECT run_id, moving FROM orchestrator.runs
  WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND (moving OR wake_at <= clock_timestamp()) ORDER BY created_at`,
);

/** Open runs that other runs started. */
export const LIST_CHILDREN: Statement = prepared(
  "runs.list_children",
  "SELECT run_id, parent_run_id FROM orchestrator.runs WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND parent_run_id <> ''",
);

/** Open runs whose time comes, from behind a place. Times go back and forth as whole milliseconds: that is how they are written. */
export const LIST_DUE: Statement = prepared(
  "runs.list_due",
  `SELECT run_id, extract(epoch FROM wake_at)::float8 * 1000 AS wake_at FROM orchestrator.runs
  WHERE shard = ANY($1::int2[]) AND ended_at IS NULL AND wake_at <= to_timestamp($2::float8 / 1000)
    AND (wake_at, run_id) > (to_timestamp($4::float8 / 1000), $5)
  ORDER BY wake_at, run_id LIMIT $3`,
);

/** The run of a start key; `void` for a row of a start that was refused. */
export const FIND_KEY: Statement = prepared(
  "starts.find",
  `SELECT s.run_id, s.request_hash, EXISTS (
    SELECT 1 FROM orchestrator.void_starts v
    WHERE v.tenant_id = s.tenant_id AND v.kind = s.kind AND v.key = s.key AND v.run_id = s.run_id
  ) AS void
  FROM orchestrator.starts s WHERE s.tenant_id = $1 AND s.kind = $2 AND s.key = $3`,
);

/** Removes the row of a start key that names run $4, if it is void. Of two that do so, one finds it: a start that took the key meanwhile is safe. */
export const DROP_KEY: Statement = prepared(
  "starts.drop",
  `WITH void AS (
    DELETE FROM orchestrator.void_starts WHERE tenant_id = $1 AND kind = $2 AND key = $3 AND run_id = $4 RETURNING run_id
  )
  DELETE FROM orchestrator.starts s USING void v
  WHERE s.tenant_id = $1 AND s.kind = $2 AND s.key = $3 AND s.run_id = v.run_id`,
);

/** Keeps the request id of a start that was answered with a run which was open before. */
export const KEEP_ANSWER: Statement = prepared(
  "starts.keep",
  `INSERT INTO orchestrator.starts (tenant_id, kind, key, run_id, request_hash) VALUES ($1, 'request', $2, $3, $4)
  ON CONFLICT DO NOTHING`,
);

/** Forgets an answer that was kept: the run ended before it took what the start brought. */
export const FORGET_ANSWER: Statement = prepared(
  "starts.forget",
  "DELETE FROM orchestrator.starts WHERE tenant_id = $1 AND kind = 'request' AND key = $2 AND run_id = $3",
);

/** The open run of a run key. */
export const FIND_OPEN_KEY: Statement = prepared(
  "runs.find_key",
  "SELECT run_id FROM orchestrator.runs WHERE tenant_id = $1 AND flow_id = $2 AND run_key = $3 AND run_key <> '' AND ended_at IS NULL",
);
