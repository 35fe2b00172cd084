/** Messages that could not be delivered. */
import { fail } from "../../base/errors.ts";
import type { DestinationName, OutgoingId, RejectionCode } from "../../engine/ports/bus/outbox.ts";
import type {
  ChangedMessages,
  MessageChange,
  MessageSelector,
  UndeliveredMessages,
  UndeliveredView,
} from "../../engine/ports/bus/undelivered.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, type SqlRunner, type Statement } from "../sql/sql.ts";
import { isPlace, rejectedUs } from "./rejection-times.ts";

const COLUMNS = `o.shard, o.id::text AS id, o.tenant_id, o.destination, o.topic, o.kind, o.run_id, o.task_path, o.sequence, o.code, o.reason,
    octet_length(o.payload)::float8 AS size, round(extract(epoch FROM o.created_at) * 1000)::float8 AS created,
    ${rejectedUs("o.rejected_at")} AS rejected`;

/** Absent fields of a selector are null. */
const SELECTED = `($2::text IS NULL OR o.destination = $2) AND ($3::text IS NULL OR o.topic = $3)
    AND ($4::text IS NULL OR o.code = $4) AND ($5::text IS NULL OR o.run_id = $5)`;

const LIST = prepared(
  "undelivered.list",
  `SELECT ${COLUMNS} FROM orchestrator.outbox_rejected o
  WHERE o.tenant_id = $1 AND ${SELECTED}
    AND ${isPlace("o.rejected_at")} AND (o.rejected_at, o.shard, o.id) > (timestamptz 'epoch' + $6::int8 * interval '1 microsecond', $7::int2, $8::int8)
  ORDER BY o.rejected_at, o.shard, o.id LIMIT $9`,
);

const FIND = prepared(
  "undelivered.find",
  `SELECT ${COLUMNS}, o.payload FROM orchestrator.outbox_rejected o WHERE o.tenant_id = $1 AND o.shard = $2 AND o.id = $3`,
);

/**
 * A message whose task has not failed yet stays. Ids say which messages; null: the selector does. What two calls take
 * at once, one of them takes.
 */
const change = (name: string, condition: string, effect: string): Statement =>
  prepared(
    `undelivered.${name}`,
    `WITH chosen AS (
    SELECT o.shard, o.id FROM orchestrator.outbox_rejected o
    WHERE o.tenant_id = $1 AND ${SELECTED} AND o.settled AND ${condition}
      AND ($6::int2[] IS NULL OR (o.shard, o.id) IN (SELECT shard, id FROM unnest($6::int2[], $7::int8[]) AS u(shard, id)))
    ORDER BY o.id LIMIT $8 FOR UPDATE SKIP LOCKED
  ),
  gone AS (
    DELETE FROM orchestrator.outbox_rejected o USING chosen c WHERE o.shard = c.shard AND o.id = c.id RETURNING o.*
  )
  ${effect}
  SELECT shard, id::text AS id FROM gone ORDER BY gone.id`,
  );

/**
 * Puts the rows of `gone` into the outbox again. With its id a message has the place in its run that it had. It is new
 * from now on, so that it is tried for as long as a new one.
 */
const SEND_AGAIN = `, back AS (
    INSERT INTO orchestrator.outbox
      (shard, id, run_id, task_path, tenant_id, kind, destination, topic, key, payload, sequence, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT shard, id, run_id, task_path, tenant_id, kind, destination, topic, key, payload, sequence, clock_timestamp()
    FROM gone
  )`;

const REDELIVER = change("redeliver", "o.kind NOT IN ('task', 'control')", SEND_AGAIN);

const DROP = change("drop", "true", "");

// A call with the same request id waits here for the other one to end.
const CLAIM = prepared(
  "undelivered.claim",
  `INSERT INTO orchestrator.undelivered_changes (tenant_id, action, message_ids, actor, reason, request_id, request_hash)
  VALUES ($1, $2, '{}', $3, $4, $5, $6)
  ON CONFLICT (tenant_id, request_id) WHERE request_id <> '' DO NOTHING RETURNING id::text AS id`,
);

const ANSWER = prepared(
  "undelivered.answer",
  `SELECT message_ids, has_more, request_hash FROM orchestrator.undelivered_changes WHERE tenant_id = $1 AND request_id = $2`,
);

const KEEP = prepared(
  "undelivered.keep",
  "UPDATE orchestrator.undelivered_changes SET message_ids = $2, has_more = $3 WHERE id = $1",
);

const FORGET = prepared("undelivered.forget", "DELETE FROM orchestrator.undelivered_changes WHERE id = $1");

const RESTORE = prepared(
  "undelivered.restore",
  `WITH gone AS (
    DELETE FROM orchestrator.outbox_rejected o USING (
      SELECT r.shard, r.id FROM orchestrator.outbox_rejected r
      WHERE r.code = 'UNSERVED' AND r.destination = $1 AND ($2::text[] IS NULL OR r.topic = ANY($2))
      ORDER BY r.id LIMIT $3 FOR UPDATE SKIP LOCKED
    ) c
    WHERE o.shard = c.shard AND o.id = c.id RETURNING o.*
  )
  ${SEND_AGAIN}
  SELECT count(*) AS restored FROM gone`,
);

interface Row {
  readonly shard: number;
  readonly id: string;
  readonly tenant_id: string;
  readonly destination: DestinationName;
  readonly topic: string;
  readonly kind: string;
  readonly run_id: string;
  readonly task_path: string;
  readonly sequence: number;
  readonly code: RejectionCode;
  readonly reason: string;
  readonly size: number;
  readonly created: number;
  readonly rejected: string;
}

interface AnswerRow {
  readonly message_ids: readonly string[];
  readonly has_more: boolean;
  readonly request_hash: string;
}

/** Messages of a database that could not be delivered; `look` has the relays look for what is to be sent. */
export function createUndeliveredMessages({ reads }: Database, look: () => void): UndeliveredMessages {
  /** Changes messages, and keeps who did it and why, in one transaction. */
  const run = (
    { name, statement }: { readonly name: "redelivered" | "dropped"; readonly statement: Statement },
    { tenantId, actor }: Caller,
    { target, limit, reason, key }: MessageChange,
  ): Promise<ChangedMessages> =>
    reads.transaction(async (runner) => {
      const claim = [tenantId, name, actor, reason, key?.id ?? "", key?.hash ?? ""];
      const [claimed] = (await runner.query<{ readonly id: string }>(CLAIM, claim)).rows;
      if (claimed === undefined) return answerAgain(runner, tenantId, key);
      const ids = "ids" in target ? target.ids : null;
      const selected = valuesOf("selector" in target ? target.selector : {});
      const { rows } = await runner.query<OutgoingId>(statement, [
        ...[tenantId, ...selected, ids?.map(({ shard }) => shard) ?? null, ids?.map(({ id }) => id) ?? null, limit],
      ]);
      const hasMore = ids === null && rows.length === limit;
      if (rows.length === 0 && key === undefined) await runner.query(FORGET, [claimed.id]);
      else await runner.query(KEEP, [claimed.id, rows.map(({ shard, id }) => `${shard}-${id}`), hasMore]);
      return { ids: rows, hasMore };
    });
  return {
    list: async ({ tenantId }, selector, after, limit) => {
      const { rejectedAtUs = 0, shard = -1, id = "0" } = after ?? {};
      const { rows } = await reads.query<Row>(LIST, [
        ...[tenantId, ...valuesOf(selector), rejectedAtUs, shard, id, limit],
      ]);
      return rows.map(toView);
    },
    find: async ({ tenantId }, { shard, id }) => {
      const { rows } = await reads.query<Row & { readonly payload: string }>(FIND, [tenantId, shard, id]);
      const [row] = rows;
      return row === undefined ? null : { view: toView(row), content: row.payload };
    },
    redeliver: async (caller, wanted) => {
      const changed = await run({ name: "redelivered", statement: REDELIVER }, caller, wanted);
      if (changed.ids.length > 0) look();
      return changed;
    },
    drop: (caller, wanted) => run({ name: "dropped", statement: DROP }, caller, wanted),
    look,
  };
}

/** What the first call with the key was answered. */
async function answerAgain(
  runner: SqlRunner,
  tenantId: string,
  { id: requestId, hash }: NonNullable<MessageChange["key"]> = { id: "", hash: "" },
): Promise<ChangedMessages> {
  const { rows } = await runner.query<AnswerRow>(ANSWER, [tenantId, requestId]);
  const [first] = rows;
  // It was so old that it has just been removed.
  if (first === undefined) return fail("STORE_CONFLICT");
  if (first.request_hash !== hash) return fail("REQUEST_ID_REUSED", { requestId });
  const ids = first.message_ids.map((text): OutgoingId => {
    const [shard, id = ""] = text.split("-");
    return { shard: Number(shard), id };
  });
  return { ids, hasMore: first.has_more };
}

/**
 * Has messages sent again that were kept because nobody served their place: all of a destination, or those of
 * some places. Resolves with how many, at most `limit`.
 */
export async function restoreUnserved(
  { reads }: Pick<Database, "reads">,
  destination: DestinationName,
  places: readonly string[] | null,
  limit: number,
): Promise<number> {
  const { rows } = await reads.query<{ readonly restored: number }>(RESTORE, [destination, places, limit]);
  return rows[0]?.restored ?? 0;
}

function valuesOf({ destination, place, code, runId }: MessageSelector): readonly (string | null)[] {
  return [destination ?? null, place ?? null, code ?? null, runId ?? null];
}

function toView(row: Row): UndeliveredView {
  const { shard, id, destination, kind, sequence, code, reason } = row;
  return {
    ...{ id: { shard, id }, destination, kind, sequence, code, reason },
    ...{ tenantId: row.tenant_id, place: row.topic, runId: row.run_id, taskPath: row.task_path },
    ...{ sizeBytes: row.size, createdAt: row.created, rejectedAtUs: Number(row.rejected) },
  };
}
