-- What operators say about a queue. A queue without a row has no limits and hands out what waits.
CREATE TABLE orchestrator.queues (
  tenant_id text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  -- Nothing is handed out since then.
  paused_at timestamptz,
  paused_by text NOT NULL DEFAULT '',
  pause_reason text NOT NULL DEFAULT '',
  -- What became ready since then is deferred.
  draining_at timestamptz,
  draining_by text NOT NULL DEFAULT '',
  drain_reason text NOT NULL DEFAULT '',
  -- Tasks that may wait; the others are deferred. Null: any number.
  max_length integer,
  -- How long a task may wait, milliseconds. Null: forever.
  ttl_ms bigint,
  -- Only workers with one of these builds get tasks. Empty: all.
  build_ids text[] NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, queue)
);

ALTER TABLE orchestrator.waiting_tasks
  -- Labels that a worker must have: `key=value`, sorted, joined by commas.
  ADD COLUMN labels text COLLATE "C" NOT NULL DEFAULT '',
  -- The queue is full or drained: the task is not in it yet, and nobody may take it.
  ADD COLUMN deferred boolean NOT NULL DEFAULT false;
CREATE INDEX waiting_tasks_age ON orchestrator.waiting_tasks (tenant_id, queue, deferred, held, ready_at);

-- How many tasks wait, without counting them: as run_counts, see 000004.
CREATE TABLE orchestrator.waiting_counts (
  tenant_id text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  handler text COLLATE "C" NOT NULL,
  labels text COLLATE "C" NOT NULL,
  rank smallint NOT NULL,
  held boolean NOT NULL,
  deferred boolean NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (tenant_id, queue, handler, labels, rank, held, deferred)
);
CREATE INDEX waiting_counts_empty ON orchestrator.waiting_counts (tenant_id) WHERE count = 0;

-- Not folded yet. Its end is not cut off: batches would wait for that.
CREATE TABLE orchestrator.waiting_count_changes (
  tenant_id text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  handler text COLLATE "C" NOT NULL,
  labels text COLLATE "C" NOT NULL,
  rank smallint NOT NULL,
  held boolean NOT NULL,
  deferred boolean NOT NULL,
  count bigint NOT NULL
) WITH (vacuum_truncate = false);

-- The truth is the sum over a group of rows. Those who need only some groups filter before they sum.
CREATE VIEW orchestrator.waiting_parts AS
SELECT tenant_id, queue, handler, labels, rank, held, deferred, count FROM orchestrator.waiting_counts
UNION ALL SELECT tenant_id, queue, handler, labels, rank, held, deferred, count FROM orchestrator.waiting_count_changes;

-- Counts all waiting tasks anew; nobody writes them meanwhile. For tables that were restored without their triggers.
CREATE FUNCTION orchestrator.recount_waiting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE orchestrator.waiting_tasks IN SHARE MODE;
  LOCK TABLE orchestrator.waiting_counts IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM orchestrator.waiting_count_changes;
  DELETE FROM orchestrator.waiting_counts;
  INSERT INTO orchestrator.waiting_counts (tenant_id, queue, handler, labels, rank, held, deferred, count)
  SELECT tenant_id, queue, handler, labels, rank, held, deferred, count(*) FROM orchestrator.waiting_tasks
  GROUP BY tenant_id, queue, handler, labels, rank, held, deferred;
END
$$;

CREATE FUNCTION orchestrator.count_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO orchestrator.waiting_count_changes (tenant_id, queue, handler, labels, rank, held, deferred, count)
    SELECT tenant_id, queue, handler, labels, rank, held, deferred, count(*) FROM after_rows
    GROUP BY tenant_id, queue, handler, labels, rank, held, deferred;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO orchestrator.waiting_count_changes (tenant_id, queue, handler, labels, rank, held, deferred, count)
    SELECT tenant_id, queue, handler, labels, rank, held, deferred, sum(n) FROM (
      SELECT tenant_id, queue, handler, labels, rank, held, deferred, 1 AS n FROM after_rows
      UNION ALL SELECT tenant_id, queue, handler, labels, rank, held, deferred, -1 FROM before_rows
    ) AS both_rows
    GROUP BY tenant_id, queue, handler, labels, rank, held, deferred HAVING sum(n) <> 0;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO orchestrator.waiting_count_changes (tenant_id, queue, handler, labels, rank, held, deferred, count)
    SELECT tenant_id, queue, handler, labels, rank, held, deferred, -count(*) FROM before_rows
    GROUP BY tenant_id, queue, handler, labels, rank, held, deferred;
  ELSE
    PERFORM orchestrator.recount_waiting();
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER waiting_came AFTER INSERT ON orchestrator.waiting_tasks
  REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_waiting();
CREATE TRIGGER waiting_changed AFTER UPDATE ON orchestrator.waiting_tasks
  REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_waiting();
CREATE TRIGGER waiting_went AFTER DELETE ON orchestrator.waiting_tasks
  REFERENCING OLD TABLE AS before_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_waiting();
CREATE TRIGGER waiting_emptied AFTER TRUNCATE ON orchestrator.waiting_tasks FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_waiting();

-- Tasks that wait already. Nobody has written since the triggers were made, and nobody will before this transaction ends.
SELECT orchestrator.recount_waiting();
