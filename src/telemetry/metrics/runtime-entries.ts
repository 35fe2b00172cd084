/** Metrics of the runtime under runs: commits, timers, ownership, takeovers, the database, the outbox. */
import { CALL_SECONDS, counter, DELAY_SECONDS, gauge, histogram, type MetricEntry } from "./metric-entry.ts";

/** What becomes of a statement of the commit pipeline. */
const COMMIT_RESULTS = ["written", "data", "gone", "slow", "failed", "unknown"];

export const RUNTIME_METRICS = {
  orchestrator_journal_records_total: counter("Records that became durable."),
  orchestrator_commits_total: counter(
    "Statements of the commit pipeline, by result: written, refused for a row (data, gone) and tried in halves, too much at once (slow), not written (failed), or of an unknown outcome.",
    ["result"],
    COMMIT_RESULTS,
  ),
  orchestrator_committed_transitions_total: counter("Transitions in statements that were written."),
  orchestrator_commit_seconds: histogram(
    "Time from sending a statement of the commit pipeline to its answer.",
    CALL_SECONDS,
  ),
  orchestrator_commit_wait_seconds: histogram(
    "Time that the first transition of a batch waited until the batch was sent: grows when the pipeline is the bottleneck.",
    CALL_SECONDS,
  ),
  orchestrator_timer_lateness_seconds: histogram(
    "Time from when something was due to when it happened, by the clock of the database.",
    DELAY_SECONDS,
  ),
  orchestrator_owned_shards: gauge("Shards that this instance owns."),
  orchestrator_lease_renewed_timestamp_seconds: gauge(
    "When this instance last extended its life, in seconds since 1970, by its own clock.",
  ),
  orchestrator_lease_expirations_total: counter(
    "Times that the life of this instance had expired before it was extended: others may have taken its shards.",
  ),
  orchestrator_shards_taken_total: counter(
    "Shards that were taken, by how the last owner left: released, or died.",
    ["after"],
    ["release", "death"],
  ),
  orchestrator_recovery_lag_seconds: histogram(
    "Time from the end of the life of an owner that died to when its shard had an owner again, be it another instance or the same one after a restart. A process shows what it counts from a minute after its first reading on.",
    DELAY_SECONDS,
  ),
  orchestrator_takeover_seconds: histogram("Time from taking shards to the recovery of their last run.", DELAY_SECONDS),
  orchestrator_adopted_runs_total: counter("Runs under way that were recovered with their shard."),
  orchestrator_fenced_writes_total: counter("Transitions that were refused because another instance owned the shard."),
  orchestrator_db_pool_wait_seconds: histogram("Time that callers waited for a database connection.", CALL_SECONDS, [
    "pool",
  ]),
  orchestrator_db_pool_connections: gauge("Connections of a pool: idle, or in use.", ["pool", "state"]),
  orchestrator_db_pool_waiting: gauge("Callers that wait for a connection of a pool.", ["pool"]),
} as const satisfies Readonly<Record<string, MetricEntry>>;

/**
 * Messages that leave by the outbox: to `topics`, `webhooks` (by endpoint), `streams`, and as `answers` of executions
 * over Redis, which hold up nothing: the oldest fall out.
 */
export const OUTBOX_METRICS = {
  orchestrator_outbox_messages: gauge("Messages that wait to be sent, as last measured. Of the whole database.", [
    "carrier",
    "place",
  ]),
  orchestrator_outbox_bytes: gauge(
    "Bytes of the messages that wait to be sent, as last measured. Of the whole database.",
    ["carrier", "place"],
  ),
  orchestrator_outbox_oldest_seconds: gauge(
    "How long the oldest message has waited to be sent. Of the whole database; one instance has it.",
  ),
  orchestrator_outbox_full: gauge(
    "1 while tasks for topics and events wait, or answers are dropped, because the outbox is full.",
    ["carrier", "place"],
  ),
  orchestrator_outbox_delivery_seconds: histogram(
    "Time from when a message was written, right before its commit, to when its receiver had it. Messages that are sent again by operators are new.",
    DELAY_SECONDS,
    ["destination"],
    ["kafka", "redis", "stream", "webhook"],
  ),
  orchestrator_outbox_rejected_total: counter(
    "Messages that are not tried any more, by where they were to go and why: REFUSED, EXPIRED, INVALID, or UNSERVED.",
    ["destination", "reason"],
  ),
  orchestrator_outbox_dropped_total: counter(
    "Messages that were deleted unsent because too many waited: answers of executions over Redis.",
    ["destination"],
  ),
  orchestrator_outbox_unserved_messages: gauge(
    "Messages that wait for a place that the configuration does not name, such as topics without Kafka. Of the whole database.",
    ["destination", "place"],
  ),
  orchestrator_undelivered_messages: gauge(
    "Messages that are not tried any more and are kept for operators. Of the whole database; one instance has it.",
  ),
  orchestrator_webhook_deliveries_total: counter(
    "Requests with events to endpoints: delivered, failed (they are tried again), or rejected (never again).",
    ["endpoint", "result"],
  ),
  orchestrator_webhook_delivery_seconds: histogram("Time of a request to an endpoint.", CALL_SECONDS, ["endpoint"]),
} as const satisfies Readonly<Record<string, MetricEntry>>;
