/** Unsent messages, for those that send them. The rows are written with the journal. */
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type {
  DEAD_LETTER_TOPIC,
  DestinationName,
  DropOldest,
  HeldEvents,
  ListHeldEvents,
  Outbox,
  OutboxPlace,
  Outgoing,
  OutgoingContent,
  OutgoingId,
  PlaceOutbox,
  RejectedTask,
  RejectedTasks,
  StoredOutgoing,
  UnservedOutbox,
} from "../../engine/ports/bus/outbox.ts";
import type { Database } from "../sql/pool.ts";
import { prepared, preparedByIndex, type Statement } from "../sql/sql.ts";
import { restoreUnserved } from "./undelivered.ts";

/** Messages of a page, and their bytes, about. */
const PAGE = 1_000;
const PAGE_BYTES = 8 * 1_024 * 1_024;

/** The share of a shard in a page is at least this, so that few shards with messages fill it. */
const LEAST_SHARE = 64;

/** Where events that are rejected are told. */
const DEAD_LETTERS: typeof DEAD_LETTER_TOPIC = "dead_letter_queue";

const COLUMNS = `o.shard, o.id::text AS id, o.run_id, o.task_path, o.tenant_id, o.kind, o.destination, o.topic, o.key, o.payload, o.sequence,
    round(extract(epoch FROM o.created_at) * 1000)::float8 AS at`;

/** A page of `source`, which gives the rows `b` of each shard. Only what is in the page is read from the side table. */
const pageOf = (source: string): string => `
  WITH under_way AS MATERIALIZED (SELECT shard, id FROM unnest($2::int2[], $3::int8[]) AS u(shard, id)),
  page AS (
    SELECT b.*, sum(octet_length(b.payload)) OVER (ORDER BY b.id) - octet_length(b.payload) AS before
    FROM (${source}) b
    WHERE NOT EXISTS (SELECT 1 FROM under_way u WHERE u.shard = b.shard AND u.id = b.id)
    ORDER BY b.id LIMIT ${PAGE}
  )
  SELECT ${COLUMNS} FROM page o WHERE before < ${PAGE_BYTES} ORDER BY o.id`;

// Each shard has its share of a page, so that one with a long backlog keeps no other waiting.
const SHARE = `$4::int4 + (SELECT count(*) FROM under_way u WHERE u.shard = s.shard)`;

const LIST = preparedByIndex(
  "outbox.list",
  pageOf(`SELECT c.* FROM unnest($1::int2[]) AS s(shard)
    CROSS JOIN LATERAL (
      SELECT * FROM orchestrator.outbox x WHERE x.shard = s.shard AND x.destination = $5 ORDER BY x.id LIMIT ${SHARE}
    ) c`),
);

/** Leaves out events of tenants and flows: two lists, from parameter `at` on. An empty flow is all of the tenant. */
const butHeld = (at: number): string => `AND NOT (x.kind = 'event' AND EXISTS (
      SELECT FROM unnest($${at}::text[], $${at + 1}::text[]) AS h (tenant_id, flow_id)
      WHERE h.tenant_id = x.tenant_id AND (h.flow_id = '' OR h.flow_id = coalesce(
        (SELECT r.flow_id FROM orchestrator.runs r WHERE r.run_id = x.run_id), x.payload::json ->> 'flowId'
      ))
    ))`;

// Topics are found by jumping from one to the next in the index: those that are left out may have a long backlog.
const listWithout = (and: string): string =>
  pageOf(`WITH RECURSIVE topics (topic) AS (
      (SELECT topic FROM orchestrator.outbox WHERE destination = $5 ORDER BY topic LIMIT 1)
      UNION ALL
      SELECT (
        SELECT x.topic FROM orchestrator.outbox x WHERE x.destination = $5 AND x.topic > t.topic ORDER BY x.topic LIMIT 1
      )
      FROM topics t WHERE t.topic IS NOT NULL
    )
    SELECT c.* FROM topics t CROSS JOIN unnest($1::int2[]) AS s(shard)
    CROSS JOIN LATERAL (
      SELECT * FROM orchestrator.outbox x
      WHERE x.destination = $5 AND x.topic = t.topic AND x.shard = s.shard ${and} ORDER BY x.id LIMIT ${SHARE}
    ) c
    WHERE NOT t.topic = ANY($6::text[])`);

const LIST_WITHOUT = preparedByIndex("outbox.list_without", listWithout(""));
const LIST_WITHOUT_HELD = preparedByIndex("outbox.list_without_held", listWithout(butHeld(7)));

// A run may have a long backlog, too: it is left out by its id.
const listOfPlace = (and: string): string => `WITH page AS (
    SELECT c.*, sum(octet_length(c.payload)) OVER (ORDER BY c.id) - octet_length(c.payload) AS before
    FROM unnest($1::int2[]) AS s(shard)
    CROSS JOIN LATERAL (
      SELECT * FROM orchestrator.outbox x
      WHERE x.destination = $2 AND x.topic = $3 AND x.shard = s.shard AND x.run_id <> ALL($4::text[])
      ${and} ORDER BY x.id LIMIT $5
    ) c ORDER BY c.id LIMIT $5
  )
  SELECT ${COLUMNS} FROM page o WHERE before < ${PAGE_BYTES} ORDER BY o.id`;

const LIST_OF_PLACE = preparedByIndex("outbox.list_of_place", listOfPlace(""));
const LIST_OF_PLACE_WITHOUT_HELD = preparedByIndex("outbox.list_of_place_without_held", listOfPlace(butHeld(6)));

const MEASURE_OF_PLACE = prepared(
  "outbox.measure_of_place",
  `SELECT count(*)::float8 AS messages, coalesce(sum(octet_length(payload)), 0)::float8 AS bytes
  FROM orchestrator.outbox WHERE destination = $1 AND topic = $2`,
);

// By jumping from one to the next in the index, as above.
const LIST_PLACES = preparedByIndex(
  "outbox.list_places",
  `WITH RECURSIVE places AS (
    (SELECT o.destination, o.topic FROM orchestrator.outbox o ORDER BY o.destination, o.topic LIMIT 1)
    UNION ALL
    SELECT n.destination, n.topic FROM places p CROSS JOIN LATERAL (
      SELECT x.destination, x.topic FROM orchestrator.outbox x
      WHERE (x.destination, x.topic) > (p.destination, p.topic) ORDER BY x.destination, x.topic LIMIT 1
    ) n
  )
  SELECT destination, topic AS place FROM places`,
);

// The sizes of large payloads are known without reading them.
const MEASURE = prepared(
  "outbox.measure",
  `SELECT count(*)::float8 AS messages, coalesce(sum(octet_length(payload)), 0)::float8 AS bytes
  FROM orchestrator.outbox WHERE destination = $1`,
);

const DELETE = preparedByIndex(
  "outbox.delete",
  `DELETE FROM orchestrator.outbox o USING unnest($1::int2[], $2::int8[]) AS d(shard, id)
  WHERE o.shard = d.shard AND o.destination = $3 AND o.id = d.id`,
);

// The newest one of the oldest part of some shards.
const FIND_OLDEST = preparedByIndex(
  "outbox.find_oldest",
  `SELECT o.id::text AS id FROM orchestrator.outbox o WHERE o.shard = ANY($1::int2[]) AND o.destination = $2 ORDER BY o.id
  OFFSET (
    SELECT greatest(ceil(count(*) * $3::float8)::int8 - 1, 0) FROM orchestrator.outbox c
    WHERE c.shard = ANY($1::int2[]) AND c.destination = $2
  ) LIMIT 1`,
);

const DROP_UNTIL = preparedByIndex(
  "outbox.drop_until",
  "DELETE FROM orchestrator.outbox o WHERE o.shard = $1 AND o.destination = $2 AND o.id <= $3",
);

const REJECT = preparedByIndex(
  "outbox.reject",
  `WITH gone AS (
    DELETE FROM orchestrator.outbox o USING unnest($1::int2[], $2::int8[], $3::text[], $4::text[]) AS d(shard, id, reason, code)
    WHERE o.shard = d.shard AND o.destination = $5 AND o.id = d.id RETURNING o.*, d.reason, d.code
  ),
  told AS (
    INSERT INTO orchestrator.outbox
      (shard, run_id, task_path, tenant_id, kind, destination, topic, key, payload, sequence, created_at)
    SELECT shard, run_id, task_path, tenant_id, 'undelivered', 'kafka', '${DEAD_LETTERS}', run_id,
      json_build_object('messageId', shard || '-' || id, 'destination', destination, 'place', topic, 'code', code,
        'reason', reason, 'event', payload::json)::text, sequence, clock_timestamp()
    FROM gone WHERE $6::bool AND kind = 'event' ORDER BY gone.id
  )
  INSERT INTO orchestrator.outbox_rejected
    (shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, destination, reason, code, settled)
  SELECT shard, id, run_id, task_path, tenant_id, kind, topic, key, payload, sequence, created_at, destination, reason, code,
    kind <> 'task'
  FROM gone`,
);

const FIND_TASK = prepared(
  "outbox.find_task",
  `SELECT round(extract(epoch FROM o.created_at) * 1000)::float8 AS at FROM orchestrator.outbox o
  WHERE o.shard = $1 AND o.destination = 'kafka' AND o.kind = 'task' AND o.run_id = $2 AND o.task_path = $3
  ORDER BY o.id DESC LIMIT 1`,
);

const LIST_REJECTED = prepared(
  "outbox_rejected.list",
  `SELECT shard, o.id::text AS id, run_id, topic, sequence, reason FROM orchestrator.outbox_rejected o
  WHERE NOT settled AND shard = ANY($1::int2[]) AND (shard, o.id) > ($2::int2, $3::int8) ORDER BY shard, o.id LIMIT $4`,
);

const SETTLE = prepared(
  "outbox_rejected.settle",
  `UPDATE orchestrator.outbox_rejected o SET settled = true FROM unnest($1::int2[], $2::int8[]) AS d(shard, id)
  WHERE o.shard = d.shard AND o.id = d.id`,
);

interface Row {
  readonly shard: number;
  readonly id: string;
  readonly run_id: string;
  readonly task_path: string;
  readonly tenant_id: string;
  readonly kind: string;
  readonly destination: DestinationName;
  readonly topic: string;
  readonly key: string;
  readonly payload: string;
  readonly sequence: number;
  readonly at: number;
}

type RejectedRow = Pick<Row, "shard" | "id" | "run_id" | "topic" | "sequence"> & { readonly reason: string };

/** Nobody has switched anything off. */
const NONE_HELD: ListHeldEvents = () => [];

/**
 * What a database has for one destination. `tells`: events that are rejected go to the topic of dead letters, too.
 */
export function createOutbox(
  { reads }: Database,
  destination: DestinationName,
  tells = false,
  listHeld = NONE_HELD,
): Outbox {
  return {
    list: async (shards, underWay, without) => {
      if (shards.length === 0) return [];
      const share = Math.max(Math.ceil(PAGE / shards.length), LEAST_SHARE);
      const most = [shards, ...columnsOf(underWay), share, destination];
      const held = listHeld();
      if (held.length > 0)
        return (await reads.query<Row>(LIST_WITHOUT_HELD, [...most, without, ...pairsOf(held)])).rows.map(toStored);
      const { rows } = await (without.length === 0
        ? reads.query<Row>(LIST, most)
        : reads.query<Row>(LIST_WITHOUT, [...most, without]));
      return rows.map(toStored);
    },
    measure: () => measure(reads, MEASURE, [destination]),
    ...createRemovals(reads, destination, tells),
  };
}

/** The messages of a database for one place of a destination; `tells` as for {@link createOutbox}. */
export function createPlaceOutbox(
  { reads }: Database,
  destination: DestinationName,
  name: string,
  tells: boolean,
  listHeld = NONE_HELD,
): PlaceOutbox {
  const place = [destination, name];
  return {
    list: async (shards, without, limit) => {
      if (shards.length === 0) return [];
      const values = [shards, ...place, without, limit];
      const held = listHeld();
      const { rows } = await (held.length === 0
        ? reads.query<Row>(LIST_OF_PLACE, values)
        : reads.query<Row>(LIST_OF_PLACE_WITHOUT_HELD, [...values, ...pairsOf(held)]));
      return rows.map(toStored);
    },
    measure: () => measure(reads, MEASURE_OF_PLACE, place),
    ...createRemovals(reads, destination, tells),
  };
}

/** Messages of a database for places that nobody may serve; `tells` as for {@link createOutbox}. */
export function createUnservedOutbox(database: Database, tells: boolean): UnservedOutbox {
  return {
    listPlaces: async () => (await database.reads.query<OutboxPlace>(LIST_PLACES)).rows,
    of: (destination, place) => createPlaceOutbox(database, destination, place, tells),
    restore: (...places) => restoreUnserved(database, ...places),
  };
}

/** Goes through the shards one after the other, so that no deletion takes long. */
export function createDropOldest({ reads }: Database, destination: DestinationName): DropOldest {
  return async (shards, part) => {
    const { rows } = await reads.query<Pick<Row, "id">>(FIND_OLDEST, [shards, destination, part]);
    const [last] = rows;
    if (last === undefined) return 0;
    let dropped = 0;
    for (const shard of shards) dropped += (await reads.query(DROP_UNTIL, [shard, destination, last.id])).count;
    return dropped;
  };
}

async function measure(reads: Database["reads"], statement: Statement, values: readonly string[]) {
  const { rows } = await reads.query<{ readonly messages: number; readonly bytes: number }>(statement, values);
  return rows[0] ?? { messages: 0, bytes: 0 };
}

function createRemovals(
  reads: Database["reads"],
  destination: DestinationName,
  tells: boolean,
): Pick<Outbox, "delete" | "reject"> {
  return {
    delete: async (ids) => {
      await reads.query(DELETE, [...columnsOf(ids), destination]);
    },
    reject: async (rejected) => {
      const ids = columnsOf(rejected.map(({ id }) => id));
      const codes = rejected.map(({ code }) => code ?? "REFUSED");
      await reads.query(REJECT, [...ids, rejected.map(({ reason }) => reason), codes, destination, tells]);
    },
  };
}

/** When the message of a task was written that has not been sent, milliseconds; null: there is none. */
export type FindUnsentTask = (shard: number, runId: string, path: string) => Promise<number | null>;

export function createFindUnsentTask({ reads }: Database): FindUnsentTask {
  return async (shard, runId, path) => {
    const { rows } = await reads.query<{ readonly at: number }>(FIND_TASK, [shard, runId, path]);
    return rows[0]?.at ?? null;
  };
}

/** Rejected messages of tasks. */
export function createRejectedTasks({ reads }: Database): RejectedTasks {
  return {
    list: async (shards, after, limit) => {
      const { shard, id } = after ?? { shard: -1, id: "0" };
      const { rows } = await reads.query<RejectedRow>(LIST_REJECTED, [shards, shard, id, limit]);
      return rows.map(
        (row): RejectedTask => ({
          id: { shard: row.shard, id: row.id },
          ...{ runId: row.run_id, topic: row.topic, fence: row.sequence, reason: row.reason },
        }),
      );
    },
    settle: async (ids) => {
      await reads.query(SETTLE, columnsOf(ids));
    },
  };
}

function pairsOf(held: readonly HeldEvents[]): [string[], string[]] {
  return [held.map(({ tenantId }) => tenantId), held.map(({ flowId }) => flowId)];
}

function columnsOf(ids: readonly OutgoingId[]): [number[], string[]] {
  return [ids.map(({ shard }) => shard), ids.map(({ id }) => id)];
}

function toStored(row: Row): StoredOutgoing {
  const { shard, id, run_id, task_path, tenant_id, destination, topic, key, sequence, at } = row;
  // Only the projection writes rows.
  const sent = { kind: row.kind, content: parseStoredJson(row.payload) } as unknown as OutgoingContent;
  const message: Outgoing = {
    ...sent,
    ...{ runId: run_id, taskPath: task_path, tenantId: tenant_id, destination, topic, key, sequence, at },
  };
  return { id: { shard, id }, message };
}
