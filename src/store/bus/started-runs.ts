/** Finds runs by ranges of ids. */
import type { StartedRuns } from "../../engine/ports/bus/started-runs.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

// Both primary keys begin with what is compared. Deleted runs have left a row.
const FIND = prepared(
  "runs.find_ranges",
  `SELECT u.place::int4 - 1 AS place, f.run_id
  FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u(low, high, place)
  CROSS JOIN LATERAL (
    SELECT r.run_id FROM orchestrator.runs r WHERE r.run_id >= u.low AND r.run_id < u.high AND r.tenant_id = $1
    UNION
    SELECT s.key FROM orchestrator.starts s
    WHERE s.tenant_id = $1 AND s.kind = 'deleted' AND s.key >= u.low AND s.key < u.high
  ) f
  ORDER BY f.run_id`,
);

/** The runs of a database. */
export function createStartedRuns({ reads }: Database): StartedRuns {
  return {
    find: async (tenantId, ranges) => {
      const values = [tenantId, ranges.map(({ from }) => from), ranges.map(({ to }) => to)];
      const { rows } = await reads.query<{ readonly place: number; readonly run_id: string }>(FIND, values);
      const found: string[][] = ranges.map(() => []);
      for (const { place, run_id } of rows) found[place]?.push(run_id);
      return found;
    },
  };
}
