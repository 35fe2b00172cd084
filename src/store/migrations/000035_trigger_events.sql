-- The last events of triggers, some for each outcome, for people.
CREATE TABLE orchestrator.trigger_events (
  id bigint GENERATED ALWAYS AS IDENTITY,
  tenant_id text COLLATE "C" NOT NULL,
  trigger_id text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  event_id text NOT NULL,
  run_id text NOT NULL,
  problem text NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, trigger_id, outcome, id),
  FOREIGN KEY (tenant_id, trigger_id) REFERENCES orchestrator.triggers ON DELETE CASCADE
);
CREATE INDEX trigger_events_old ON orchestrator.trigger_events (received_at);
