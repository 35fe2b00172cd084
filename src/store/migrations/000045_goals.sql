-- Goals: runs of the built-in flow that waits until they are done. The tables `tasks` and `task_results` show them, see
-- src/store/sql/goal-tables.ts.
CREATE TABLE orchestrator.goals (
  run_id text COLLATE "C" PRIMARY KEY,
  tenant_id text NOT NULL,
  goal text NOT NULL,
  status text NOT NULL,
  priority text NOT NULL,
  constraints jsonb NOT NULL,
  acceptance_criteria jsonb NOT NULL,
  context jsonb NOT NULL,
  max_cost_micros bigint NOT NULL,
  max_time_seconds integer NOT NULL,
  max_tokens integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  -- {output, confidence}; null: nothing yet.
  result jsonb
);
CREATE INDEX goals_newest ON orchestrator.goals (tenant_id, created_at DESC, run_id DESC);
CREATE INDEX goals_by_status ON orchestrator.goals (tenant_id, status, created_at DESC, run_id DESC);
