-- A waiting task names where it leaves to in its queue: the name of a queue, or an address on another carrier, which
-- begins with @. No limit of a queue reaches those. The column transport says how tasks of its type leave where every
-- carrier is served: a service without Kafka leaves the tasks of topics to workers of the queue of the same name.
CREATE INDEX waiting_tasks_carried ON orchestrator.waiting_tasks (run_id, task_path) WHERE starts_with(queue, '@');
-- Rows of topics that have no address yet, or have one that is not served any more. They get theirs at the next takeover
-- of their shard.
CREATE INDEX waiting_tasks_readdressed ON orchestrator.waiting_tasks (shard) WHERE transport IN ('topic', 'topics');
DROP INDEX orchestrator.waiting_tasks_topics;
