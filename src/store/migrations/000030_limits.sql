-- Who waits for a slot of a limit, and who has one. The journal of its run is the truth: a row is written and deleted by the statements that make
-- the task wait, begin, and end. Only the owner of the shard `home` turns `waiting` into `granted`.
CREATE TABLE orchestrator.limit_slots (
  run_id text COLLATE "C" NOT NULL,
  -- Empty: the run as a whole.
  task_path text COLLATE "C" NOT NULL,
  -- Of the run.
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  home smallint NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'granted', 'taken')),
  -- Sequence of the record that asked.
  asked integer NOT NULL,
  -- The priority with its sign changed.
  rank smallint NOT NULL,
  -- Since when it waits, or has the slot.
  since timestamptz NOT NULL,
  -- The bounds in the flow, where the limit is not declared. Null: none.
  max_concurrent integer,
  rate_count integer,
  rate_per_ms bigint,
  granted_at timestamptz,
  PRIMARY KEY (run_id, task_path)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX limit_slots_line ON orchestrator.limit_slots (tenant_id, name, key, rank, since, run_id, task_path) WHERE state = 'waiting';
CREATE INDEX limit_slots_held ON orchestrator.limit_slots (tenant_id, name, key) WHERE state <> 'waiting';
CREATE INDEX limit_slots_waiting ON orchestrator.limit_slots (shard, tenant_id, name, key) WHERE state = 'waiting';
CREATE INDEX limit_slots_granted ON orchestrator.limit_slots (shard) WHERE state = 'granted';

-- Limits that were declared: their bounds go before those in flows.
CREATE TABLE orchestrator.limits (
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  max_concurrent integer,
  rate_count integer,
  rate_per_ms bigint,
  actor text NOT NULL DEFAULT '',
  reason text NOT NULL DEFAULT '',
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, name)
);

-- What is left of the rate of a limit. A key without a row has all of it.
CREATE TABLE orchestrator.limit_rates (
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  tokens double precision NOT NULL,
  refilled_at timestamptz NOT NULL,
  -- When it is full again, and the row says nothing.
  full_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, name, key)
);

-- Limits that give out nothing until then.
CREATE TABLE orchestrator.limit_pauses (
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  -- All keys of the name; `key` is empty.
  all_keys boolean NOT NULL,
  until timestamptz NOT NULL,
  since timestamptz NOT NULL,
  actor text NOT NULL DEFAULT '',
  reason text NOT NULL DEFAULT '',
  -- The run whose attempt was told to come back later; empty: somebody paused it.
  run_id text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, name, all_keys, key)
);
