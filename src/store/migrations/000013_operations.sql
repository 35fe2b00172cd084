-- Operations: bulk jobs over runs. The truth about each is in the journal, under its id; this row is its header, written by the same statement.
CREATE TABLE orchestrator.operations (
  operation_id text COLLATE "C" PRIMARY KEY,
  shard smallint NOT NULL,
  -- Partition of its journal.
  run_day integer NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  -- Action, filter and failures as JSON text.
  action text NOT NULL,
  filter text NOT NULL,
  matched integer NOT NULL,
  done integer NOT NULL,
  failed integer NOT NULL,
  failures text NOT NULL,
  problem text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX operations_list ON orchestrator.operations (tenant_id, created_at DESC, operation_id DESC);
CREATE INDEX operations_open ON orchestrator.operations (shard) WHERE ended_at IS NULL;
