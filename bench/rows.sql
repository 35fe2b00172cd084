-- The fixed row set of the limit: what any engine must keep of one 3-step run so that an acknowledged start is never lost, each
-- result is recorded once, and runs can be found and listed. Tables, keys and indexes are those of the product's first
-- migration; what only this product keeps besides (leases, start keys, timers, outbox) is left out, so the loop stays a limit.
--
-- One run is 1 row of `runs`, inserted at the start and updated at the end, and 4 rows of `journal`, in 4 commits:
--   start + dispatch 1 · result 1 + dispatch 2 · result 2 + dispatch 3 · result 3 + end

CREATE TABLE runs (
  run_id text COLLATE "C" PRIMARY KEY,
  id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000),
  shard smallint NOT NULL,
  run_day integer NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  version text NOT NULL,
  flow_hash text NOT NULL,
  state text COLLATE "C" NOT NULL,
  moving boolean NOT NULL,
  sequence integer NOT NULL,
  wake_at timestamptz,
  deadline_at timestamptz,
  labels jsonb,
  user_id text NOT NULL,
  correlation_id text NOT NULL,
  run_key text NOT NULL,
  parent_run_id text COLLATE "C" NOT NULL,
  parent_task text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz
) WITH (fillfactor = 90);
CREATE INDEX runs_open ON runs (shard, wake_at) WHERE ended_at IS NULL;
CREATE INDEX runs_list ON runs (tenant_id, created_at DESC, run_id DESC);
CREATE UNIQUE INDEX runs_key ON runs (tenant_id, flow_id, run_key) WHERE ended_at IS NULL AND run_key <> '';
CREATE INDEX runs_parent ON runs (parent_run_id) WHERE parent_run_id <> '';
CREATE INDEX runs_failed ON runs (tenant_id, state, created_at DESC, run_id DESC) WHERE state NOT IN ('COMPLETED', 'RUNNING');

CREATE TABLE journal (
  run_day integer NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  sequence integer NOT NULL,
  record_count integer NOT NULL,
  written_at timestamptz NOT NULL,
  records text NOT NULL,
  PRIMARY KEY (run_day, run_id, sequence)
) PARTITION BY RANGE (run_day);
CREATE TABLE journal_other PARTITION OF journal DEFAULT;
