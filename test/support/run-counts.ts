import type { SqlRunner } from "../../src/store/sql/sql.ts";

/** A stored count that differs from the number of rows. */
export interface Miscount {
  readonly tenant_id: string;
  readonly flow_id: string;
  readonly version: string;
  readonly state: string;
  readonly counted: number | null;
  readonly rows: number | null;
}

/** Compares the counts of runs with the runs in one statement, so a difference is an error even while runs change. */
export async function findMiscounts(runner: SqlRunner): Promise<Miscount[]> {
  const { rows } = await runner.query<Miscount>(
    `SELECT tenant_id, flow_id, version, state, t.count AS counted, r.count AS rows
     FROM orchestrator.run_totals t
     FULL JOIN (
       SELECT tenant_id, flow_id, version, state, count(*) AS count FROM orchestrator.runs GROUP BY tenant_id, flow_id, version, state
     ) r USING (tenant_id, flow_id, version, state)
     WHERE t.count IS DISTINCT FROM r.count`,
  );
  return rows;
}
