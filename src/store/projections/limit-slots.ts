import type { FreedSlotRow, LimitSlotRow } from "../../engine/runs/projections/limit-slots.ts";
import { type Column, number, safeText, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** A bound that may be absent; 0 is sent for that. */
function bound(read: (row: LimitSlotRow) => number | null): Column<LimitSlotRow> {
  const base = number<LimitSlotRow>("float8", (row) => read(row) ?? 0);
  return { ...base, nothing: 0, toSql: (value) => `nullif(${value}, 0)` };
}

/** A row exists while its task waits for a slot or has one. The journal of its run is the source of truth. */
export const limitSlotTable = defineTable<LimitSlotRow>("limit_slots", {
  columns: {
    task_path: text(({ path }) => path),
    shard: number("int2", (_, { shard }) => shard),
    tenant_id: text(({ tenantId }) => tenantId),
    name: text(({ name }) => name),
    key: text(({ key }) => key),
    home: {
      ...number<LimitSlotRow>("int4", ({ hash }) => hash),
      toSql: (value) => `${value} % (SELECT s.value::int FROM orchestrator.settings s WHERE s.name = 'shards')`,
    },
    state: safeText(({ state }) => state),
    asked: number("int4", ({ asked }) => asked),
    // The other way round: then all columns of the order of a line ascend.
    rank: number("int2", ({ priority }) => -priority),
    since: time(({ since }) => since),
    max_concurrent: bound(({ maxConcurrent }) => maxConcurrent),
    rate_count: bound(({ rate }) => rate?.count ?? null),
    rate_per_ms: bound(({ rate }) => rate?.perMs ?? null),
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id, task_path) DO UPDATE SET tenant_id = excluded.tenant_id, name = excluded.name, key = excluded.key, home = excluded.home,
    state = excluded.state, asked = excluded.asked, rank = excluded.rank, since = excluded.since,
    max_concurrent = excluded.max_concurrent, rate_count = excluded.rate_count, rate_per_ms = excluded.rate_per_ms`,
  close: "DELETE FROM orchestrator.limit_slots t USING ended e WHERE t.run_id = e.run_id",
});

/** Deletes the rows of tasks that need no slot any more. */
export const freedSlotTable = defineTable<FreedSlotRow>("freed_slots", {
  table: "limit_slots",
  columns: { task_path: text(({ path }) => path) },
  write: ({ rows, accepted }) => `DELETE FROM orchestrator.limit_slots t USING ${rows}
  WHERE ${accepted} AND t.run_id = r.run_id AND t.task_path = coalesce(r.task_path, '')`,
  ofRun: null,
});
