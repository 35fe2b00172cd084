-- Labels that workers must have are part of what a line is. Within a priority, keys take turns.
ALTER TABLE orchestrator.waiting_tasks
  -- Tasks of a line with different keys take turns; empty: by time alone.
  ADD COLUMN fairness_key text COLLATE "C" NOT NULL DEFAULT '',
  -- Place in virtual time, milliseconds: when the task became ready, and later for the further tasks of a key.
  ADD COLUMN turn bigint NOT NULL DEFAULT 0;
UPDATE orchestrator.waiting_tasks SET turn = round(extract(epoch FROM ready_at) * 1000);

-- Held and deferred tasks are nobody's: whoever takes the next task must not read over them.
DROP INDEX orchestrator.waiting_tasks_order;
CREATE INDEX waiting_tasks_order ON orchestrator.waiting_tasks (tenant_id, queue, handler, labels, rank, turn, ready_at, run_id, task_path)
  WHERE NOT held AND NOT deferred;

-- Where a key stands, and where a line stands.
CREATE INDEX waiting_tasks_keys ON orchestrator.waiting_tasks (tenant_id, queue, handler, labels, rank, fairness_key, turn) WHERE fairness_key <> '';
CREATE INDEX waiting_tasks_turns ON orchestrator.waiting_tasks (tenant_id, queue, handler, labels, rank, turn)
  WHERE fairness_key <> '' AND NOT held AND NOT deferred;
