-- Undelivered messages are listed in the order of their rejection.
CREATE INDEX outbox_rejected_listed ON orchestrator.outbox_rejected (tenant_id, rejected_at, shard, id);

-- Who sent messages again or dropped them.
CREATE TABLE orchestrator.undelivered_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL,
  -- redelivered, or dropped
  action text COLLATE "C" NOT NULL,
  message_ids text[] NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX undelivered_changes_old ON orchestrator.undelivered_changes (created_at);
