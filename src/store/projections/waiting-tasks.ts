import type { HeldTasksRow, TakenTaskRow, WaitingTaskRow } from "../../engine/runs/projections/waiting-tasks.ts";
import { bool, flag, number, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** Distance between two tasks of a key in virtual time, milliseconds. */
const STRIDE_MS = 60_000;

/** The line of a row, for a column of the same name in the table `w`. */
const SAME_LINE = `w.tenant_id = r.tenant_id AND w.queue = r.queue AND w.handler = r.handler AND w.labels = coalesce(r.labels, '') AND w.rank = r.rank`;

/**
 * When a task has its turn. Keys take turns as in start-time fair queueing: a task comes one stride after the task of
 * its key before it, and no earlier than now and the task that is next in its line. Virtual time never falls behind the
 * clock, so a task of which d others of its key are in front is passed by nobody after d minutes. What comes back from
 * a worker goes first: it has had its turn.
 *
 * It is read from the rows, so it survives restarts and takeovers; statements that run at once may give one turn twice.
 */
const TURN = `CASE WHEN coalesce(r.fairness_key, '') = '' OR r.turn IS TRUE THEN r.ready_at ELSE greatest(
    r.ready_at,
    (SELECT w.turn FROM orchestrator.waiting_tasks w
      WHERE ${SAME_LINE} AND w.fairness_key <> '' AND NOT w.held AND NOT w.deferred ORDER BY w.turn LIMIT 1),
    (SELECT w.turn + ${STRIDE_MS} FROM orchestrator.waiting_tasks w
      WHERE ${SAME_LINE} AND w.fairness_key = r.fairness_key AND w.fairness_key <> '' ORDER BY w.turn DESC LIMIT 1)
  ) + ${STRIDE_MS} * (row_number() OVER (
    PARTITION BY r.tenant_id, r.queue, r.handler, r.labels, r.rank, r.fairness_key, r.turn IS TRUE ORDER BY r.place) - 1) END`;

/** A row exists while its task waits for a hand-over. The journal of its run is the source of truth. */
export const waitingTaskTable = defineTable<WaitingTaskRow>("waiting_tasks", {
  columns: {
    task_path: text(({ path }) => path),
    shard: number("int2", (_, { shard }) => shard),
    tenant_id: text(({ tenantId }) => tenantId),
    // Rows of topics written before they had addresses say "topic", and their queue is the bare name.
    transport: text(({ carrier }) => carrier),
    queue: text(({ queue }) => queue),
    handler: text(({ handler }) => handler),
    // The other way round: then all columns of the order of a queue ascend.
    rank: number("int2", ({ priority }) => -priority),
    ready_at: time(({ since }) => since),
    held: bool(({ held }) => held),
    labels: text(({ labels }) => labels),
    fairness_key: text(({ fairnessKey }) => fairnessKey),
    turn: { ...flag(({ isBack }) => isBack), toSql: () => TURN },
    deferred: {
      ...flag(() => false),
      toSql: () => `EXISTS (SELECT 1 FROM orchestrator.queues q
    WHERE q.tenant_id = r.tenant_id AND q.queue = r.queue AND q.draining_at < to_timestamp(r.ready_at / 1000))`,
    },
  },
  write: ({ insert }) => `${insert}
  ON CONFLICT (run_id, task_path) DO UPDATE SET transport = excluded.transport, queue = excluded.queue,
    handler = excluded.handler, rank = excluded.rank, ready_at = excluded.ready_at, held = excluded.held, deferred = excluded.deferred,
    labels = excluded.labels, fairness_key = excluded.fairness_key, turn = excluded.turn`,
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
