import type { RoutedTaskView } from "../../engine/ports/routing/routed-tasks.ts";
import { number, optionalTime, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** The journal of its run is the source of truth for each routed task. */
export const routedTaskTable = defineTable<RoutedTaskView>("routed_tasks", {
  columns: {
    tenant_id: text(({ tenantId }) => tenantId),
    service: text(({ service }) => service),
    method: text(({ method }) => method),
    path: text(({ path }) => path),
    target_url: text(({ targetUrl }) => targetUrl),
    state: safeText(({ state }) => state),
    response_status: number("int4", ({ responseStatus }) => responseStatus),
    retry_count: number("int4", ({ retryCount }) => retryCount),
    created_at: time(({ createdAt }) => createdAt),
    ended_at: optionalTime(({ endedAt }) => endedAt),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id) DO UPDATE
  SET target_url = excluded.target_url, state = excluded.state, response_status = excluded.response_status,
    retry_count = excluded.retry_count, ended_at = excluded.ended_at`,
  close: `UPDATE orchestrator.routed_tasks t SET state = 'ERROR', ended_at = to_timestamp($4::float8 / 1000)
  FROM ended e WHERE t.run_id = e.run_id AND t.ended_at IS NULL`,
});
