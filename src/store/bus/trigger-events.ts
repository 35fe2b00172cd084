/** What became of the events of triggers: counts, and the last events of each outcome. */
import type { CountedEvents, ListedEvent, TriggerCounts, TriggerEventStore } from "../../engine/ports/bus/triggers.ts";
import type { Database } from "../sql/pool.ts";
import { prepared } from "../sql/sql.ts";

/** Events of a trigger that are kept for each outcome: those that are filtered push out none that failed. */
const MOST_KEPT = 50;

const COUNTS = prepared(
  "triggers.counts",
  `SELECT tenant_id AS "tenantId", trigger_id AS "triggerId", outcome, count::float8 AS count, last_at AS "lastAt",
    last_event_id AS "lastEventId", last_run_id AS "lastRunId", last_problem AS "lastProblem"
  FROM orchestrator.trigger_counts WHERE tenant_id = $1 AND trigger_id = ANY($2::text[])`,
);

// Sorted, so that two instances cannot deadlock: who has the counts may change the events. A trigger that is deleted
// meanwhile is passed over.
const ADD_COUNTS = prepared(
  "triggers.add_counts",
  `INSERT INTO orchestrator.trigger_counts AS c (tenant_id, trigger_id, outcome, count, last_at, last_event_id, last_run_id, last_problem)
  SELECT n.tenant_id, n.trigger_id, n.outcome, n.count, to_timestamp(n.last_at / 1000), n.event_id, n.run_id, n.problem
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::float8[], $6::text[], $7::text[], $8::text[])
    AS n (tenant_id, trigger_id, outcome, count, last_at, event_id, run_id, problem)
  JOIN orchestrator.triggers t ON t.tenant_id = n.tenant_id AND t.trigger_id = n.trigger_id
  ORDER BY n.tenant_id, n.trigger_id, n.outcome
  ON CONFLICT (tenant_id, trigger_id, outcome) DO UPDATE SET count = c.count + excluded.count, last_at = excluded.last_at,
    last_event_id = excluded.last_event_id, last_run_id = excluded.last_run_id, last_problem = excluded.last_problem`,
);

const ADD_EVENTS = prepared(
  "triggers.add_events",
  `INSERT INTO orchestrator.trigger_events (tenant_id, trigger_id, outcome, received_at, event_id, run_id, problem)
  SELECT n.tenant_id, n.trigger_id, n.outcome, to_timestamp(n.at / 1000), n.event_id, n.run_id, n.problem
  FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::text[], $7::text[])
    AS n (tenant_id, trigger_id, outcome, at, event_id, run_id, problem)
  JOIN orchestrator.triggers t ON t.tenant_id = n.tenant_id AND t.trigger_id = n.trigger_id
  ORDER BY n.at`,
);

const TRIM_EVENTS = prepared(
  "triggers.trim_events",
  `DELETE FROM orchestrator.trigger_events e
  USING unnest($1::text[], $2::text[], $3::text[]) AS n (tenant_id, trigger_id, outcome)
  WHERE e.tenant_id = n.tenant_id AND e.trigger_id = n.trigger_id AND e.outcome = n.outcome AND e.id <= (
    SELECT x.id FROM orchestrator.trigger_events x
    WHERE x.tenant_id = n.tenant_id AND x.trigger_id = n.trigger_id AND x.outcome = n.outcome
    ORDER BY x.id DESC LIMIT 1 OFFSET ${MOST_KEPT}
  )`,
);

const LIST_EVENTS = prepared(
  "triggers.list_events",
  `SELECT id::text AS id, outcome, received_at AS at, event_id AS "eventId", run_id AS "runId", problem
  FROM orchestrator.trigger_events e
  WHERE tenant_id = $1 AND trigger_id = $2 AND ($3::text IS NULL OR outcome = $3) AND ($4::int8 IS NULL OR id < $4)
  ORDER BY e.id DESC LIMIT $5`,
);

/** What became of events, in a database. */
export function createTriggerEventStore({ reads, journal }: Database): TriggerEventStore {
  return {
    counts: async (tenantId, triggerIds) => (await reads.query<TriggerCounts>(COUNTS, [tenantId, triggerIds])).rows,
    addEvents: (groups) =>
      journal.transaction(async (runner) => {
        const keys = columnsOf(groups, ["tenantId", "triggerId", "outcome"]);
        const lasts = groups.map(({ last }) => last.at(-1) ?? NONE);
        await runner.query(ADD_COUNTS, [
          ...[...keys, groups.map(({ count }) => count)],
          ...columnsOf(lasts, ["at", "eventId", "runId", "problem"]),
        ]);
        const events = groups.flatMap(({ last, ...group }) => last.map((event) => ({ ...group, ...event })));
        await runner.query(
          ADD_EVENTS,
          columnsOf(events, ["tenantId", "triggerId", "outcome", "at", "eventId", "runId", "problem"]),
        );
        await runner.query(TRIM_EVENTS, keys);
      }),
    listEvents: async (tenantId, triggerId, outcome, beforeId, limit) =>
      (await reads.query<ListedEvent>(LIST_EVENTS, [tenantId, triggerId, outcome, beforeId, limit])).rows,
  };
}

const NONE: CountedEvents["last"][number] = { at: 0, eventId: "", runId: "", problem: "" };

function columnsOf<Row, Name extends keyof Row>(rows: readonly Row[], names: readonly Name[]): Row[Name][][] {
  return names.map((name) => rows.map((row) => row[name]));
}
