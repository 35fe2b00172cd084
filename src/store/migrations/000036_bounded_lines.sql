-- Those in the line of a limit that is not declared: the ones with bounds in their flow. The others wait beside the line, perhaps for years.
CREATE INDEX limit_slots_bounded ON orchestrator.limit_slots (tenant_id, name, key, rank, since, run_id, task_path)
  WHERE state = 'waiting' AND coalesce(max_concurrent, rate_count) IS NOT NULL;
-- Runs that were quarantined unread have left their lines since; earlier ones are still there.
DELETE FROM orchestrator.limit_slots s USING orchestrator.runs r
  WHERE r.run_id = s.run_id AND r.state = 'QUARANTINED' AND s.state = 'waiting' AND r.ended_at IS NULL;
