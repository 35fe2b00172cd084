-- A change of undelivered messages that is repeated with its request id is answered as the first time.
ALTER TABLE orchestrator.undelivered_changes
  ADD COLUMN request_id text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN request_hash text COLLATE "C" NOT NULL DEFAULT '',
  -- The selector of the call selected more.
  ADD COLUMN has_more boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX undelivered_changes_requests ON orchestrator.undelivered_changes (tenant_id, request_id)
  WHERE request_id <> '';

-- Messages are changed in the order in which they were written, which is that of their runs.
CREATE INDEX outbox_rejected_written ON orchestrator.outbox_rejected (tenant_id, id);

-- Messages for places that the configuration did not name: they are sent once it names them again.
CREATE INDEX outbox_rejected_unserved ON orchestrator.outbox_rejected (destination, topic, id) WHERE code = 'UNSERVED';
