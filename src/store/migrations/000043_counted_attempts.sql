-- Budgets of runs limit steps (attempts) and the time in which attempts run, milliseconds.
ALTER TABLE orchestrator.budgets
  ADD COLUMN max_steps bigint,
  ADD COLUMN max_time_ms bigint,
  ADD COLUMN settled_steps bigint NOT NULL DEFAULT 0,
  ADD COLUMN settled_time_ms bigint NOT NULL DEFAULT 0,
  ADD COLUMN reserved_steps bigint NOT NULL DEFAULT 0 CHECK (reserved_steps >= 0),
  ADD COLUMN reserved_time_ms bigint NOT NULL DEFAULT 0 CHECK (reserved_time_ms >= 0),
  -- The flow of the run limits them: its attempts are counted.
  ADD COLUMN counts_attempts boolean NOT NULL DEFAULT false;

-- Counted attempts that are under way.
CREATE TABLE orchestrator.counted_attempts (
  attempt_id uuid PRIMARY KEY,
  attempt_key text COLLATE "C" NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  reserved_time_ms bigint NOT NULL,
  -- Ids of the runs whose budgets it is charged to.
  charged text[] NOT NULL,
  -- It is made by somebody outside, who goes on when the instance dies.
  handed_out boolean NOT NULL,
  began_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX counted_attempts_by_key ON orchestrator.counted_attempts (attempt_key);
CREATE INDEX counted_attempts_by_budget ON orchestrator.counted_attempts USING gin (charged);
