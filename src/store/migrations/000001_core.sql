-- The core: shards and their leases, flow versions, runs with their journal, and what lists and other readers need beside it.
-- tenant_id is part of every key and index that a caller can reach.

CREATE SCHEMA IF NOT EXISTS orchestrator;

-- Facts that are fixed for this database, such as the number of shards.
CREATE TABLE orchestrator.settings (
  name text PRIMARY KEY,
  value text NOT NULL
);

-- Running services. The expiry lives here and not in the lease rows: those are locked by every batch, and renewals would starve.
CREATE TABLE orchestrator.instances (
  instance_id text PRIMARY KEY,
  address text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  -- Version of the journal's format that it reads: records of a newer one are written when all that live read it.
  reads smallint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL
);

-- Who owns a shard. The epoch rises with every change of owner; each batch locks the rows of its shards FOR SHARE at its epoch.
CREATE TABLE orchestrator.shard_leases (
  shard smallint PRIMARY KEY,
  epoch integer NOT NULL DEFAULT 0,
  instance_id text,
  -- True when the last owner gave it back in good order.
  clean boolean NOT NULL DEFAULT true
);

CREATE TABLE orchestrator.flow_versions (
  tenant_id text NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  hash text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  document jsonb NOT NULL,
  structure jsonb NOT NULL,
  source text NOT NULL,
  position bigint GENERATED ALWAYS AS IDENTITY,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, flow_id, version)
);
CREATE INDEX flow_versions_latest ON orchestrator.flow_versions (tenant_id, flow_id, position DESC);
CREATE INDEX flow_versions_hash ON orchestrator.flow_versions (tenant_id, flow_id, hash);

-- The header of a run: what lists show and what wakes it. Written at the start, at the end, and when the public state or the next wake changes.
CREATE TABLE orchestrator.runs (
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
  -- Takeovers after a crash since the header was last written: a run that kills whoever reads it is found by them.
  takeovers smallint NOT NULL DEFAULT 0,
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
CREATE INDEX runs_open ON orchestrator.runs (shard, wake_at) WHERE ended_at IS NULL;
CREATE INDEX runs_list ON orchestrator.runs (tenant_id, created_at DESC, run_id DESC);
CREATE UNIQUE INDEX runs_key ON orchestrator.runs (tenant_id, flow_id, run_key) WHERE ended_at IS NULL AND run_key <> '';
CREATE INDEX runs_parent ON orchestrator.runs (parent_run_id) WHERE parent_run_id <> '';
-- Runs without labels are not in it and cost nothing.
CREATE INDEX runs_labels ON orchestrator.runs USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;
CREATE INDEX runs_failed ON orchestrator.runs (tenant_id, state, created_at DESC, run_id DESC) WHERE state NOT IN ('COMPLETED', 'RUNNING');

-- The journal: the records of one move of a run, in order, as a JSON array. Partitioned by the day on which the run was created (days since 1970),
-- so that retention drops partitions. `sequence` is that of the first record of the row.
CREATE TABLE orchestrator.journal (
  run_day integer NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  sequence integer NOT NULL,
  record_count integer NOT NULL,
  written_at timestamptz NOT NULL,
  records text NOT NULL,
  PRIMARY KEY (run_day, run_id, sequence)
) PARTITION BY RANGE (run_day);
CREATE TABLE orchestrator.journal_other PARTITION OF orchestrator.journal DEFAULT;

-- Keys that start a run at most once, for ever: they outlive the run.
CREATE TABLE orchestrator.starts (
  tenant_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  request_hash text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, kind, key)
);

-- Rows of starts that mean nothing: their start was refused for another key, in the statement that wrote both rows. Only what stands here may be removed.
CREATE TABLE orchestrator.void_starts (
  tenant_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, kind, key, run_id)
);

-- Approvals, for lists: the truth about each is in the journal of its run.
CREATE TABLE orchestrator.approvals (
  run_id text COLLATE "C" NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  flow_id text NOT NULL,
  state text NOT NULL,
  parameters text NOT NULL,
  created_at timestamptz NOT NULL,
  due_at timestamptz,
  decided_at timestamptz,
  decided_by text NOT NULL DEFAULT '',
  comment text NOT NULL DEFAULT '',
  data text NOT NULL DEFAULT 'null',
  PRIMARY KEY (run_id, task_path)
);
CREATE INDEX approvals_list ON orchestrator.approvals (tenant_id, created_at DESC, run_id DESC);
CREATE INDEX approvals_open ON orchestrator.approvals (tenant_id, created_at DESC, run_id DESC) WHERE state = 'PENDING';

-- Tasks that used up their attempts.
CREATE TABLE orchestrator.dead_letters (
  run_id text COLLATE "C" NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  generation integer NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  flow_id text NOT NULL,
  attempts integer NOT NULL,
  error_type text NOT NULL,
  error_message text NOT NULL,
  input text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, task_path, generation)
);
CREATE INDEX dead_letters_list ON orchestrator.dead_letters (tenant_id, created_at DESC);

-- Events on their way out. A row that exists is unsent; the owner of the shard relays and deletes it.
CREATE TABLE orchestrator.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY,
  shard smallint NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  tenant_id text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  payload text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (shard, id)
);

-- JSON text of the journal as jsonb, which knows neither NUL nor half a surrogate pair: both become U+FFFD. The journal keeps the original.
CREATE FUNCTION orchestrator.read_json(json_text text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
  CASE
    WHEN strpos(json_text, '\u0000') > 0 OR strpos(json_text, '\ud') > 0
    THEN regexp_replace(json_text, '\\u(0000|d[89a-f][0-9a-f]{2})', '\\ufffd', 'g')::jsonb
    ELSE json_text::jsonb
  END;

-- What seed systems read. Tables of these names belong to somebody else: nothing is done to them.
DO $$
DECLARE
  taken text;
BEGIN
  SELECT string_agg(c.oid::regclass::text, ', ') INTO taken FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('flow_run_history', 'task_execution_history');
  IF taken IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = 'the schema public of this database already holds ' || taken
      || ', names under which the service shows its own history; rename them (ALTER TABLE public.flow_run_history RENAME TO flow_run_history_old) or give the service another database';
  END IF;
END $$;

CREATE VIEW public.flow_run_history AS
SELECT
  r.id,
  r.run_id,
  r.flow_id,
  r.tenant_id,
  r.user_id,
  r.correlation_id,
  r.state AS status,
  (orchestrator.read_json(first.records) -> 0 -> 'vars') AS input_data,
  CASE WHEN r.state = 'COMPLETED' THEN last.record -> 'output' END AS output_data,
  (orchestrator.read_json(first.records) -> 0 -> 'facts' -> 'context') AS execution_context,
  CASE last.record ->> 'type'
    WHEN 'run.failed' THEN concat_ws(': ', last.record -> 'error' ->> 'type', last.record -> 'error' ->> 'message')
    WHEN 'run.terminated' THEN last.record ->> 'reason'
    WHEN 'run.timed_out' THEN 'the run did not end before its deadline'
  END AS error_message,
  r.created_at,
  r.updated_at,
  r.ended_at AS completed_at
FROM orchestrator.runs r
LEFT JOIN LATERAL (
  SELECT j.records FROM orchestrator.journal j WHERE j.run_day = r.run_day AND j.run_id = r.run_id AND j.sequence = 1
) first ON true
LEFT JOIN LATERAL (
  SELECT orchestrator.read_json(j.records) -> -1 AS record
  FROM orchestrator.journal j
  WHERE r.ended_at IS NOT NULL AND j.run_day = r.run_day AND j.run_id = r.run_id
  ORDER BY j.sequence DESC
  LIMIT 1
) last ON true;

CREATE VIEW public.task_execution_history AS
SELECT
  -- From facts that stay, and not counted over all rows: who asks for one run must not read the others.
  r.id * 1048576 + min(e.position) AS id,
  r.run_id,
  e.record ->> 'task' AS task_id,
  coalesce(max(spec.handler), 'task') AS handler,
  CASE (array_agg(e.record ->> 'type' ORDER BY e.position DESC))[1]
    WHEN 'task.dispatched' THEN 'RUNNING'
    WHEN 'task.expanded' THEN 'RUNNING'
    WHEN 'task.suspended' THEN 'WAITING'
    WHEN 'task.failed' THEN
      CASE WHEN (array_agg(e.record ->> 'timedOut' ORDER BY e.position DESC))[1] = 'true' THEN 'TIMED_OUT' ELSE 'FAILED' END
    ELSE upper(split_part((array_agg(e.record ->> 'type' ORDER BY e.position DESC))[1], '.', 2))
  END AS status,
  coalesce(max((e.record ->> 'attempt')::integer), 0) AS attempts,
  (array_agg(e.record -> 'input' ORDER BY e.position) FILTER (WHERE e.record ? 'input'))[1] AS input_data,
  (array_agg(e.record -> 'output' ORDER BY e.position DESC) FILTER (WHERE e.record ? 'output'))[1] AS output_data,
  (array_agg(e.record -> 'error' ->> 'message' ORDER BY e.position DESC) FILTER (WHERE e.record ? 'error'))[1] AS error_message,
  (max((e.record ->> 'at')::double precision) FILTER (WHERE e.record ->> 'type' IN ('task.completed', 'task.failed', 'task.canceled'))
    - max((e.record ->> 'at')::double precision) FILTER (WHERE e.record ->> 'type' IN ('task.dispatched', 'task.waiting', 'task.expanded')))::integer
    AS execution_time_ms,
  to_timestamp(min((e.record ->> 'at')::double precision) / 1000) AS created_at,
  to_timestamp(max((e.record ->> 'at')::double precision) / 1000) AS updated_at,
  to_timestamp(max((e.record ->> 'at')::double precision)
    FILTER (WHERE e.record ->> 'type' IN ('task.completed', 'task.failed', 'task.skipped', 'task.canceled', 'task.compensated')) / 1000)
    AS completed_at
FROM orchestrator.runs r
JOIN LATERAL (
  SELECT item.record, j.sequence + item.place - 1 AS position
  FROM orchestrator.journal j
  CROSS JOIN LATERAL jsonb_array_elements(orchestrator.read_json(j.records)) WITH ORDINALITY AS item(record, place)
  WHERE j.run_day = r.run_day AND j.run_id = r.run_id AND item.record ->> 'type' LIKE 'task.%'
) e ON true
LEFT JOIN LATERAL (
  SELECT task ->> 'type' AS handler
  FROM orchestrator.flow_versions f
  CROSS JOIN LATERAL jsonb_array_elements(coalesce(f.document -> 'workflow' -> 'tasks', '[]'::jsonb)) AS task
  WHERE f.tenant_id = r.tenant_id AND f.flow_id = r.flow_id AND f.version = r.version
    AND task ->> 'id' = split_part(split_part(e.record ->> 'task', '/', 1), '.', 1)
) spec ON true
GROUP BY r.id, r.run_id, e.record ->> 'task';
