-- What watches that resume tell of a deleted run: that it is gone, under which sequence, and how it had ended. Its labels and payloads are deleted with it.
-- Only tombstones have these columns.
ALTER TABLE orchestrator.starts
  ADD COLUMN last_sequence bigint,
  ADD COLUMN last_state text COLLATE "C";
CREATE INDEX starts_deleted ON orchestrator.starts (tenant_id, created_at) WHERE last_sequence IS NOT NULL;
