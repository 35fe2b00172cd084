import type { LimitPauseRow } from "../../engine/runs/projections/limit-pauses.ts";
import { text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** Most characters of a reason. */
const MAX_REASON = 1_024;

/** Of several pauses of a limit the last one to end counts. Rows are written in the order of their keys. */
export const limitPauseTable = defineTable<LimitPauseRow>("limit_pauses", {
  columns: {
    tenant_id: text(({ tenantId }) => tenantId),
    name: text(({ name }) => name),
    key: text(({ key }) => key),
    until: time(({ until }) => until),
    since: time(({ since }) => since),
    reason: text(({ reason }) => reason.slice(0, MAX_REASON)),
  },
  write: ({
    rows,
    accepted,
  }) => `INSERT INTO orchestrator.limit_pauses (tenant_id, name, all_keys, key, until, since, reason, run_id)
  SELECT DISTINCT ON (r.tenant_id, r.name, coalesce(r.key, '')) r.tenant_id, r.name, false, coalesce(r.key, ''),
    to_timestamp(r.until / 1000), to_timestamp(r.since / 1000), coalesce(r.reason, ''), r.run_id
  FROM ${rows}
  WHERE ${accepted}
  ORDER BY r.tenant_id, r.name, coalesce(r.key, ''), r.until DESC
  ON CONFLICT (tenant_id, name, all_keys, key) DO UPDATE SET until = excluded.until, since = excluded.since, actor = '',
    reason = excluded.reason, run_id = excluded.run_id
  WHERE limit_pauses.until < excluded.until`,
  ofRun: null,
});
