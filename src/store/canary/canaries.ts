/** Canaries in PostgreSQL. */
import { CANARY_LABELS } from "../../base/labels.ts";
import type { CanaryStore } from "../../engine/ports/canary/canaries.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

// The index of labels finds them among any number of runs.
const IS_CANARY = `r.labels @> '{"${CANARY_LABELS.mark}": "true"}' AND r.flow_id = $1`;

const LOOK = prepared(
  "canaries.look",
  `WITH recent AS MATERIALIZED (
    SELECT r.run_id, r.created_at, r.labels ->> '${CANARY_LABELS.after}' AS after FROM orchestrator.runs r
    WHERE ${IS_CANARY} AND r.created_at > statement_timestamp() - interval '1 hour'
  ),
  acknowledged AS (
    SELECT unnest($2::text[]) AS run_id UNION SELECT after FROM recent WHERE after IS NOT NULL
  )
  SELECT (SELECT run_id FROM recent ORDER BY created_at DESC, run_id DESC LIMIT 1) AS newest,
    ARRAY(
      SELECT a.run_id FROM acknowledged a
      WHERE NOT EXISTS (SELECT FROM orchestrator.runs r WHERE r.run_id = a.run_id) ORDER BY 1
    ) AS lost`,
);

// A canary is named by others for an hour, and those for another one. What went wrong stays for a week, to be looked
// at. They write only these two tables, and nobody writes to them after their end.
const REMOVE = prepared(
  "canaries.remove",
  `WITH gone AS (
    DELETE FROM orchestrator.runs r
    WHERE ${IS_CANARY} AND r.created_at < statement_timestamp() - interval '3 hours'
      AND r.ended_at < statement_timestamp() - CASE r.state
        WHEN 'COMPLETED' THEN interval '3 hours' ELSE interval '7 days' END
    RETURNING r.run_id, r.run_day
  ),
  journal AS (
    DELETE FROM orchestrator.journal j USING gone g WHERE j.run_day = g.run_day AND j.run_id = g.run_id
  )
  SELECT count(*)::int4 AS removed FROM gone`,
);

/** Creates the store of the canaries that are runs of a flow. */
export function createCanaryStore(
  { journal, reads }: Pick<Database, "journal" | "reads">,
  flowId: string,
): CanaryStore {
  return {
    async look(acknowledged) {
      const { rows } = await reads.query<{ newest: string | null; lost: readonly string[] }>(LOOK, [
        flowId,
        [...acknowledged],
      ]);
      return { newest: rows[0]?.newest ?? null, lost: rows[0]?.lost ?? [] };
    },
    async removeOld() {
      return (await journal.query<{ removed: number }>(REMOVE, [flowId])).rows[0]?.removed ?? 0;
    },
  };
}
