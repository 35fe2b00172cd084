/** Where tasks stand in the lines of limits. */
import type { LimitPlace, LimitPlaces } from "../../engine/ports/dispatch/limits.ts";
import type { Database } from "../sql/pool.ts";
import { preparedByIndex } from "../sql/sql.ts";

/** Most tasks that are counted before another one. */
const MAX_AHEAD = 1_000;

const SAME = "o.tenant_id = s.tenant_id AND o.name = s.name AND o.key = s.key";

/** Those in line before a slot `s`, by the index of those that meet the condition. */
const before = (given: string): string => `(
        SELECT 1 FROM orchestrator.limit_slots o WHERE ${SAME} AND o.state = 'waiting' AND ${given}
          AND (o.rank, o.since, o.run_id, o.task_path) < (s.rank, s.since, s.run_id, s.task_path) LIMIT ${MAX_AHEAD + 1}
      )`;

const FIND = preparedByIndex(
  "limit_slots.find_place",
  `SELECT s.state, s.name, s.key, d.name IS NOT NULL AS declared,
    CASE WHEN d.name IS NULL THEN s.max_concurrent ELSE d.max_concurrent END AS max_concurrent,
    CASE WHEN d.name IS NULL THEN s.rate_count ELSE d.rate_count END AS rate_count,
    CASE WHEN d.name IS NULL THEN s.rate_per_ms ELSE d.rate_per_ms END AS rate_per_ms,
    (SELECT count(*) FROM orchestrator.limit_slots o WHERE ${SAME} AND o.state <> 'waiting') AS holders,
    (SELECT count(*) FROM (
      ${before("d.name IS NOT NULL")} UNION ALL ${before("d.name IS NULL AND coalesce(o.max_concurrent, o.rate_count) IS NOT NULL")}
    ) AS before) AS ahead,
    p.until, p.actor, p.reason, p.run_id AS told_run
  FROM orchestrator.limit_slots s
  LEFT JOIN orchestrator.limits d ON d.tenant_id = s.tenant_id AND d.name = s.name
  LEFT JOIN LATERAL (
    SELECT * FROM orchestrator.limit_pauses p
    WHERE p.tenant_id = s.tenant_id AND p.name = s.name AND (p.all_keys OR p.key = s.key) AND p.until > statement_timestamp()
    ORDER BY p.until DESC LIMIT 1
  ) p ON true
  WHERE s.run_id = $2 AND s.task_path = $3 AND s.tenant_id = $1`,
);

interface PlaceRow {
  readonly state: string;
  readonly name: string;
  readonly key: string;
  readonly declared: boolean;
  readonly max_concurrent: number | null;
  readonly rate_count: number | null;
  readonly rate_per_ms: number | null;
  readonly holders: number;
  readonly ahead: number;
  readonly until: number | null;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly told_run: string | null;
}

/** The lines of a database. */
export function createLimitPlaces({ reads }: Database): LimitPlaces {
  return {
    findPlace: async (tenantId, runId, path): Promise<LimitPlace | null> => {
      const [row] = (await reads.query<PlaceRow>(FIND, [tenantId, runId, path])).rows;
      if (row?.state !== "waiting") return null;
      const { name, key, declared, holders, ahead, until, actor, reason, told_run } = row;
      const { rate_count: count, rate_per_ms: perMs } = row;
      return {
        ...{ name, key, isDeclared: declared, holders, ahead },
        maxConcurrent: row.max_concurrent,
        rate: count === null || perMs === null ? null : { count, perMs },
        pause: until === null ? null : { until, by: actor ?? "", why: reason ?? "", runId: told_run ?? "" },
      };
    },
  };
}
