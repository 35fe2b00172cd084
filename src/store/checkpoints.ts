/**
 * Graph checkpoints in PostgreSQL. Every write is fenced: it joins the thread's row on the token of its attempt and
 * locks it FOR SHARE. Either a claim waits for the write, or the write sees the claim.
 */
import { fail } from "../base/errors.ts";
import type { CheckpointStore, StoredCheckpoint, StoredWrite } from "../engine/ports/checkpoints.ts";
import { prepared, type SqlRunner } from "./sql/sql.ts";

const CLAIM = prepared(
  "checkpoints.claim",
  `INSERT INTO orchestrator.graph_threads AS t (tenant_id, thread_id, run_id, fencing_token, graph_version) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tenant_id, thread_id) DO UPDATE SET fencing_token = excluded.fencing_token WHERE t.fencing_token <= excluded.fencing_token
  RETURNING t.graph_version`,
);

const HELD = `held AS MATERIALIZED (
  SELECT t.tenant_id, t.thread_id FROM orchestrator.graph_threads t
  WHERE t.tenant_id = $1 AND t.thread_id = $2 AND t.fencing_token = $3 FOR SHARE
)`;

const PUT = prepared(
  "checkpoints.put",
  `WITH ${HELD}, checkpoint AS (
    INSERT INTO orchestrator.graph_checkpoints (tenant_id, thread_id, namespace, checkpoint_id, parent_id, checkpoint, metadata)
    SELECT h.tenant_id, h.thread_id, $4, $5, $6, $7::jsonb, $8 FROM held h
    ON CONFLICT (tenant_id, thread_id, namespace, checkpoint_id) DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata
  ), channels AS (
    INSERT INTO orchestrator.graph_channels (tenant_id, thread_id, namespace, channel, version, value)
    SELECT h.tenant_id, h.thread_id, $4, c.channel, c.version, c.value
    FROM held h, unnest($9::text[], $10::text[], $11::text[]) AS c (channel, version, value)
    ON CONFLICT (tenant_id, thread_id, namespace, channel, version) DO UPDATE SET value = excluded.value
  )
  SELECT 1 FROM held`,
);

const PUT_WRITES = prepared(
  "checkpoints.put_writes",
  `WITH ${HELD}, writes AS (
    INSERT INTO orchestrator.graph_writes (tenant_id, thread_id, namespace, checkpoint_id, task_id, place, channel, value)
    SELECT h.tenant_id, h.thread_id, $4, $5, w.task_id, w.place, w.channel, w.value
    FROM held h, unnest($6::text[], $7::int4[], $8::text[], $9::text[]) AS w (task_id, place, channel, value)
    ON CONFLICT (tenant_id, thread_id, namespace, checkpoint_id, task_id, place) DO UPDATE SET channel = excluded.channel, value = excluded.value
  )
  SELECT 1 FROM held`,
);

// A damaged checkpoint yields no channels here, and its reader rejects it. A statement error would fail the whole list
// and blame the store.
const VERSIONS = `CASE WHEN jsonb_typeof(c.checkpoint -> 'channel_versions') = 'object' THEN c.checkpoint -> 'channel_versions' ELSE '{}' END`;

const COLUMNS = `c.thread_id, c.namespace, c.checkpoint_id, c.parent_id, c.checkpoint::text AS checkpoint, c.metadata,
  (SELECT coalesce(json_agg(json_build_array(v.channel, v.value)), '[]') FROM jsonb_each_text(${VERSIONS}) AS n
    JOIN orchestrator.graph_channels v ON v.tenant_id = c.tenant_id AND v.thread_id = c.thread_id AND v.namespace = c.namespace
      AND v.channel = n.key AND v.version = n.value) AS channels,
  (SELECT coalesce(json_agg(json_build_object('taskId', w.task_id, 'place', w.place, 'channel', w.channel, 'value', w.value) ORDER BY w.task_id, w.place), '[]')
    FROM orchestrator.graph_writes w WHERE w.tenant_id = c.tenant_id AND w.thread_id = c.thread_id AND w.namespace = c.namespace
      AND w.checkpoint_id = c.checkpoint_id) AS writes`;

const GET = prepared(
  "checkpoints.get",
  `SELECT ${COLUMNS} FROM orchestrator.graph_checkpoints c
  WHERE c.tenant_id = $1 AND c.thread_id = $2 AND c.namespace = $3 AND ($4::text IS NULL OR c.checkpoint_id = $4)
  ORDER BY c.position DESC LIMIT 1`,
);

const LIST = prepared(
  "checkpoints.list",
  `SELECT ${COLUMNS} FROM orchestrator.graph_checkpoints c
  WHERE c.tenant_id = $1 AND ($2::text IS NULL OR c.thread_id = $2) AND ($3::text IS NULL OR c.namespace = $3)
    AND ($4::text IS NULL OR c.checkpoint_id = $4) AND ($5::text IS NULL OR c.checkpoint_id < $5)
    AND ($6::text IS NULL OR (c.checkpoint_id, c.thread_id, c.namespace) < ($6, $7, $8))
  ORDER BY c.checkpoint_id DESC, c.thread_id DESC, c.namespace DESC LIMIT $9`,
);

const LIST_WRITES = prepared(
  "checkpoints.list_writes",
  `SELECT w.task_id, w.place, w.channel, w.value FROM orchestrator.graph_writes w
  WHERE w.tenant_id = $1 AND w.thread_id = $2 AND w.channel = ANY ($3::text[]) ORDER BY w.task_id, w.place`,
);

const DELETE_THREAD = prepared(
  "checkpoints.delete",
  "DELETE FROM orchestrator.graph_threads WHERE tenant_id = $1 AND thread_id = $2",
);

interface CheckpointRow {
  readonly thread_id: string;
  readonly namespace: string;
  readonly checkpoint_id: string;
  readonly parent_id: string | null;
  readonly checkpoint: string;
  readonly metadata: string;
  readonly channels: StoredCheckpoint["channels"];
  readonly writes: readonly StoredWrite[];
}

/** Creates the store on a pool. It holds a connection for one statement at a time. */
export function createCheckpointStore(sql: SqlRunner): CheckpointStore {
  return {
    claim: async (thread, version = "1") => {
      const { tenantId, threadId, runId, fencingToken } = thread;
      const values = [tenantId, threadId, runId, fencingToken, version];
      const { rows } = await sql.query<{ graph_version: string }>(CLAIM, values);
      checkHeld(rows, threadId);
      return rows[0]?.graph_version ?? version;
    },
    put: async (thread, checkpoint) => {
      const { rows } = await sql.query(PUT, [
        thread.tenantId,
        thread.threadId,
        thread.fencingToken,
        checkpoint.namespace,
        checkpoint.checkpointId,
        checkpoint.parentId,
        checkpoint.checkpoint,
        checkpoint.metadata,
        checkpoint.channels.map(({ channel }) => channel),
        checkpoint.channels.map(({ version }) => version),
        checkpoint.channels.map(({ value }) => value),
      ]);
      checkHeld(rows, thread.threadId);
    },
    putWrites: async (thread, namespace, checkpointId, writes) => {
      const { rows } = await sql.query(PUT_WRITES, [
        thread.tenantId,
        thread.threadId,
        thread.fencingToken,
        namespace,
        checkpointId,
        writes.map(({ taskId }) => taskId),
        writes.map(({ place }) => place),
        writes.map(({ channel }) => channel),
        writes.map(({ value }) => value),
      ]);
      checkHeld(rows, thread.threadId);
    },
    get: async (tenantId, threadId, namespace, checkpointId) => {
      const { rows } = await sql.query<CheckpointRow>(GET, [tenantId, threadId, namespace, checkpointId]);
      return rows[0] === undefined ? null : toCheckpoint(rows[0]);
    },
    list: async (tenantId, { threadId, namespace, checkpointId, beforeId, after, limit }) => {
      const { rows } = await sql.query<CheckpointRow>(LIST, [
        tenantId,
        threadId,
        namespace,
        checkpointId,
        beforeId,
        after?.checkpointId ?? null,
        after?.threadId ?? null,
        after?.namespace ?? null,
        limit,
      ]);
      return rows.map(toCheckpoint);
    },
    listWrites: async (tenantId, threadId, channels) => {
      const { rows } = await sql.query<{ task_id: string; place: number; channel: string; value: string }>(
        LIST_WRITES,
        [tenantId, threadId, channels],
      );
      return rows.map(({ task_id: taskId, place, channel, value }) => ({ taskId, place, channel, value }));
    },
    deleteThread: async (tenantId, threadId) => {
      await sql.query(DELETE_THREAD, [tenantId, threadId]);
    },
  };
}

function checkHeld(rows: readonly unknown[], threadId: string): void {
  if (rows.length === 0) fail("GRAPH_ATTEMPT_STALE", { threadId });
}

function toCheckpoint(row: CheckpointRow): StoredCheckpoint {
  const {
    thread_id: threadId,
    namespace,
    checkpoint_id: checkpointId,
    parent_id: parentId,
    checkpoint,
    metadata,
    channels,
    writes,
  } = row;
  return { threadId, namespace, checkpointId, parentId, checkpoint, metadata, channels, writes };
}
