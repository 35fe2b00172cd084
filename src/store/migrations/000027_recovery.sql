-- Open runs whose flow says how it recovers, by the time of their last change. Other runs are not in it.
CREATE INDEX runs_recovery ON orchestrator.runs (shard, updated_at) WHERE ended_at IS NULL AND labels ? 'orchestrator.dev/recovery';
