-- Routed tasks: runs of the built-in flow that calls a service.
CREATE TABLE orchestrator.routed_tasks (
  run_id text COLLATE "C" PRIMARY KEY,
  tenant_id text NOT NULL,
  service text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  target_url text NOT NULL,
  state text NOT NULL,
  response_status integer NOT NULL,
  retry_count integer NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX routed_tasks_newest ON orchestrator.routed_tasks (tenant_id, created_at DESC, run_id DESC);
