-- Budgets, and the ledger of the calls that spend them. Costs are millionths of a dollar.
CREATE TABLE orchestrator.budgets (
  tenant_id text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  max_cost_micros bigint,
  max_tokens bigint,
  settled_cost_micros bigint NOT NULL DEFAULT 0,
  settled_tokens bigint NOT NULL DEFAULT 0,
  reserved_cost_micros bigint NOT NULL DEFAULT 0 CHECK (reserved_cost_micros >= 0),
  reserved_tokens bigint NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
  actor text NOT NULL DEFAULT '',
  reason text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, scope, id)
);

CREATE TABLE orchestrator.model_calls (
  call_id uuid PRIMARY KEY,
  call_key text COLLATE "C" NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  user_id text NOT NULL,
  task_path text NOT NULL,
  attempt integer NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  -- The row of the price list that was used.
  input_price_micros bigint,
  output_price_micros bigint,
  reserved_cost_micros bigint NOT NULL,
  reserved_tokens bigint NOT NULL,
  -- [[scope, id], …]
  charged jsonb NOT NULL,
  instance_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Null: under way.
  settled_at timestamptz,
  input_tokens bigint,
  output_tokens bigint,
  cost_micros bigint,
  basis text
);
CREATE INDEX model_calls_open ON orchestrator.model_calls (call_key) WHERE settled_at IS NULL;
CREATE INDEX model_calls_by_time ON orchestrator.model_calls (tenant_id, created_at);
CREATE INDEX model_calls_settled ON orchestrator.model_calls (settled_at) WHERE settled_at IS NOT NULL;

-- Runs that wait until somebody raises a budget.
CREATE TABLE orchestrator.budget_waits (
  tenant_id text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The budget has been raised: the run may go on.
  raised boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, scope, id, run_id)
);
CREATE INDEX budget_waits_raised ON orchestrator.budget_waits (run_id) WHERE raised;
