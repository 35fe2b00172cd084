import type { HeldTasksRow, TakenTaskRow, WaitingTaskRow } from "../../engine/runs/projections/waiting-tasks.ts";
import { bool, flag, number, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** A row exists while its task waits for a hand-over. The journal of its run is the source of truth. */
export const waitingTaskTable = defineTable<WaitingTaskRow>("waiting_tasks", {
  columns: {
    task_path: text(({ path }) => path),
    shard: number("int2", (_, { shard }) => shard),
    tenant_id: text(({ tenantId }) => tenantId),
    queue: text(({ queue }) => queue),
    handler: text(({ handler }) => handler),
    // The other way round: then all columns of the order of a queue ascend.
    rank: number("int2", ({ priority }) => -priority),
    ready_at: time(({ since }) => since),
    held: bool(({ held }) => held),
    deferred: {
      ...flag(() => false),
      toSql: () => `EXISTS (SELECT 1 FROM orchestrator.queues q
    WHERE q.tenant_id = r.tenant_id AND q.queue = r.queue AND q.draining_at < to_timestamp(r.ready_at / 1000))`,
    },
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id, task_path) DO UPDATE SET queue = excluded.queue, handler = excluded.handler, rank = excluded.rank,
    ready_at = excluded.ready_at, held = excluded.held, deferred = excluded.deferred`,
  close: "DELETE FROM orchestrator.waiting_tasks t USING ended e WHERE t.run_id = e.run_id",
});

/** Deletes the rows of tasks that no longer wait. */
export const takenTaskTable = defineTable<TakenTaskRow>("taken_tasks", {
  table: "waiting_tasks",
  columns: { task_path: text(({ path }) => path) },
  write: ({ rows, accepted }) => `DELETE FROM orchestrator.waiting_tasks t USING ${rows}
  WHERE ${accepted} AND t.run_id = r.run_id AND t.task_path = r.task_path`,
  ofRun: null,
});

/** Keeps others from the waiting tasks of a run that is held. */
export const heldTasksTable = defineTable<HeldTasksRow>("held_tasks", {
  table: "waiting_tasks",
  columns: { held: bool(({ held }) => held) },
  write: ({ rows, accepted }) => `UPDATE orchestrator.waiting_tasks t SET held = coalesce(r.held, false) FROM ${rows}
  WHERE ${accepted} AND t.run_id = r.run_id`,
  ofRun: null,
});
