/**
 * Compares slots with runs, and removes what nobody needs any more: slots without a run, pauses and rates that say
 * nothing.
 */
import type { LimitAudit, LimitKey, SlotPosition, StoredSlot } from "../../engine/ports/dispatch/limits.ts";
import type { Lease } from "../../engine/ports/leases.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, preparedByIndex } from "../sql/sql.ts";

/** Most rows of one statement. */
const MAX_ROWS = 1_000;

/** Rows of runs that have ended, or are not there. A run and its rows are written and deleted by one statement. */
const REMOVE_LOST = preparedByIndex(
  "limit_slots.remove_lost",
  `WITH held AS MATERIALIZED (
  SELECT l.shard FROM orchestrator.shard_leases l
  JOIN unnest($1::int2[], $2::int4[]) AS w (shard, epoch) ON w.shard = l.shard AND w.epoch = l.epoch
  ORDER BY l.shard FOR SHARE OF l
),
page AS MATERIALIZED (
  SELECT s.run_id, s.task_path, s.shard FROM orchestrator.limit_slots s
  WHERE (s.run_id, s.task_path) > ($3::text, $4::text) ORDER BY s.run_id, s.task_path LIMIT ${MAX_ROWS}
),
lost AS MATERIALIZED (
  SELECT p.run_id, p.task_path FROM page p
  WHERE p.shard IN (SELECT shard FROM held)
    AND (SELECT r.ended_at IS NULL FROM orchestrator.runs r WHERE r.run_id = p.run_id) IS NOT TRUE
),
removed AS (
  DELETE FROM orchestrator.limit_slots s USING lost l
  WHERE s.run_id = l.run_id AND s.task_path = l.task_path AND s.run_id = ANY(ARRAY(SELECT f.run_id FROM lost f))
  RETURNING s.tenant_id, s.name, s.key
)
SELECT tenant_id, name, key, NULL AS run_id, NULL AS task_path FROM removed
UNION ALL
(SELECT NULL, NULL, NULL, p.run_id, p.task_path FROM page p ORDER BY p.run_id, p.task_path OFFSET ${MAX_ROWS - 1})`,
);

const READ = preparedByIndex(
  "limit_slots.read",
  `SELECT s.run_id, s.task_path, s.tenant_id, s.name, s.key, s.state, s.asked
  FROM orchestrator.limit_slots s WHERE s.run_id = ANY($1::text[])`,
);

// A commit of the run that is under way can make this wrong again; the next audit finds it.
const REPAIR = preparedByIndex(
  "limit_slots.repair",
  `WITH held AS MATERIALIZED (SELECT shard FROM orchestrator.shard_leases WHERE shard = $1 AND epoch = $2 FOR SHARE),
same AS MATERIALIZED (
  SELECT r.run_id, r.shard FROM orchestrator.runs r JOIN held ON held.shard = r.shard
  WHERE r.run_id = $3 AND NOT EXISTS (
    SELECT 1 FROM orchestrator.journal j WHERE j.run_day = r.run_day AND j.run_id = r.run_id AND j.sequence > $4
  )
),
written AS (
  INSERT INTO orchestrator.limit_slots (run_id, task_path, shard, tenant_id, name, key, home, state, asked, rank, since,
    max_concurrent, rate_count, rate_per_ms)
  SELECT same.run_id, w.path, same.shard, w.tenant_id, w.name, w.key,
    w.hash % (SELECT s.value::int FROM orchestrator.settings s WHERE s.name = 'shards'), w.state, w.asked, w.rank,
    to_timestamp(w.since / 1000), w.max_concurrent, w.rate_count, w.rate_per_ms
  FROM same CROSS JOIN unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::int4[], $10::text[], $11::int4[],
    $12::int2[], $13::float8[], $14::int4[], $15::int4[], $16::int8[])
    AS w (path, tenant_id, name, key, hash, state, asked, rank, since, max_concurrent, rate_count, rate_per_ms)
  ON CONFLICT (run_id, task_path) DO UPDATE SET shard = excluded.shard, tenant_id = excluded.tenant_id,
    name = excluded.name, key = excluded.key, home = excluded.home, state = excluded.state, asked = excluded.asked,
    rank = excluded.rank, since = excluded.since, max_concurrent = excluded.max_concurrent,
    rate_count = excluded.rate_count, rate_per_ms = excluded.rate_per_ms
  RETURNING 1
),
removed AS (
  DELETE FROM orchestrator.limit_slots s
  WHERE s.run_id = $3 AND s.task_path = ANY($17::text[]) AND EXISTS (SELECT 1 FROM same) RETURNING 1
)
SELECT ((SELECT count(*) FROM written) + (SELECT count(*) FROM removed))::int4 AS changed`,
);

const PRUNE = prepared(
  "limits.prune",
  `WITH pauses AS (
    DELETE FROM orchestrator.limit_pauses WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM orchestrator.limit_pauses WHERE until < statement_timestamp() LIMIT ${MAX_ROWS} FOR UPDATE SKIP LOCKED))
  )
  DELETE FROM orchestrator.limit_rates WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM orchestrator.limit_rates WHERE full_at < statement_timestamp() LIMIT ${MAX_ROWS} FOR UPDATE SKIP LOCKED))`,
);

interface LostRow {
  readonly tenant_id: string | null;
  readonly name: string;
  readonly key: string;
  readonly run_id: string | null;
  readonly task_path: string;
}

interface SlotRow {
  readonly run_id: string;
  readonly task_path: string;
  readonly tenant_id: string;
  readonly name: string;
  readonly key: string;
  readonly state: StoredSlot["state"];
  readonly asked: number;
}

/** The audit of the limits of a database. */
export function createLimitAudit({ journal, reads }: Database): LimitAudit {
  return {
    removeLost: async (leases: readonly Lease[], after) => {
      const { runId = "", path = "" } = after ?? {};
      const values = [leases.map(({ shard }) => shard), leases.map(({ epoch }) => epoch), runId, path];
      const { rows } = await journal.query<LostRow>(REMOVE_LOST, values);
      const limits: LimitKey[] = [];
      let next: SlotPosition | null = null;
      for (const { tenant_id, name, key, run_id, task_path } of rows)
        if (tenant_id !== null) limits.push({ tenantId: tenant_id, name, key });
        else if (run_id !== null) next = { runId: run_id, path: task_path };
      return { limits, next };
    },
    readSlots: async (runIds) =>
      (await reads.query<SlotRow>(READ, [runIds])).rows.map(
        ({ run_id, task_path, tenant_id, name, key, state, asked }): StoredSlot => ({
          ...{ runId: run_id, path: task_path, tenantId: tenant_id, name, key, state, asked },
        }),
      ),
    repair: async ({ lease, runId, sequence, wrong, extra }) => {
      const { rows } = await journal.query<{ changed: number }>(REPAIR, [
        ...[lease.shard, lease.epoch, runId, sequence],
        wrong.map(({ path }) => path),
        wrong.map(({ tenantId }) => tenantId),
        wrong.map(({ name }) => name),
        wrong.map(({ key }) => key),
        wrong.map(({ hash }) => hash),
        wrong.map(({ state }) => state),
        wrong.map(({ asked }) => asked),
        wrong.map(({ priority }) => -priority),
        wrong.map(({ since }) => since),
        wrong.map(({ maxConcurrent }) => maxConcurrent),
        wrong.map(({ rate }) => rate?.count ?? null),
        wrong.map(({ rate }) => rate?.perMs ?? null),
        extra,
      ]);
      return rows[0]?.changed ?? 0;
    },
    prune: async () => {
      await journal.query(PRUNE);
    },
  };
}
