-- Triggers: what events from outside start and signal.
CREATE SEQUENCE orchestrator.trigger_revisions;
CREATE TABLE orchestrator.triggers (
  tenant_id text COLLATE "C" NOT NULL,
  trigger_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  -- Changes with the definition. Never the same twice, also when a trigger is deleted and put again.
  revision bigint NOT NULL DEFAULT nextval('orchestrator.trigger_revisions'),
  -- The text as it was put.
  definition text NOT NULL,
  -- Events have no effect since then.
  paused_at timestamptz,
  paused_by text NOT NULL DEFAULT '',
  pause_reason text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, trigger_id)
);

-- What became of events. Instances add what they have counted once a second.
CREATE TABLE orchestrator.trigger_counts (
  tenant_id text COLLATE "C" NOT NULL,
  trigger_id text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  last_at timestamptz NOT NULL,
  last_event_id text NOT NULL,
  last_run_id text NOT NULL,
  last_problem text NOT NULL,
  PRIMARY KEY (tenant_id, trigger_id, outcome),
  FOREIGN KEY (tenant_id, trigger_id) REFERENCES orchestrator.triggers ON DELETE CASCADE
);
