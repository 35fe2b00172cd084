import type { OperationRow } from "../../engine/operations/projections/headers.ts";
import { number, optionalTime, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** Headers of operations. They belong to no run, so deleting or ending a run does not affect them. */
export const operationTable = defineTable<OperationRow>("operations", {
  idColumn: "operation_id",
  columns: {
    shard: number("int2", (_, { shard }) => shard),
    run_day: number("int4", (_, { day }) => day),
    tenant_id: text(({ state }) => state.tenantId),
    state: safeText(({ state }) => state.state),
    action: text(({ state }) => JSON.stringify(state.action)),
    filter: text(({ state: { target } }) => (target.type === "filter" ? target.text : "")),
    matched: number("int4", ({ state }) => state.matched),
    done: number("int4", ({ state }) => state.done),
    failed: number("int4", ({ state }) => state.failed),
    failures: text(({ state }) => JSON.stringify(state.failures)),
    problem: text(({ state }) => state.problem),
    created_by: text(({ state }) => state.by),
    created_at: time(({ state }) => state.createdAt),
    updated_at: time(({ state }) => state.updatedAt),
    ended_at: optionalTime(({ state }) => state.endedAt),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (operation_id) DO UPDATE
  SET state = excluded.state, matched = excluded.matched, done = excluded.done, failed = excluded.failed, failures = excluded.failures,
    problem = excluded.problem, updated_at = excluded.updated_at, ended_at = excluded.ended_at`,
  ofRun: null,
});
