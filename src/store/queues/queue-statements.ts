/** Statements about settings of queues that several files use. */
import { prepared } from "../sql/sql.ts";

/** Channel on which changes of settings are announced. */
export const CHANNEL = "orchestrator_queues";

/** A row that says nothing. While tasks are deferred it stays: it is how they are found. */
export const TIDY = prepared(
  "queues.tidy",
  `DELETE FROM orchestrator.queues q WHERE tenant_id = $1 AND queue = $2 AND paused_at IS NULL AND draining_at IS NULL
    AND max_length IS NULL AND ttl_ms IS NULL AND build_ids = '{}' AND NOT EXISTS (
      SELECT 1 FROM orchestrator.waiting_tasks w WHERE w.tenant_id = q.tenant_id AND w.queue = q.queue AND w.deferred)`,
);

/** Announces that settings have changed, or what waits because of them. */
export const TELL = prepared("queues.tell", `SELECT pg_notify('${CHANNEL}', '')`);
