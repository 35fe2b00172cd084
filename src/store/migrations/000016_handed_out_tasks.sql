-- Work that is done elsewhere. A run with a task at a worker is neither moving nor in memory: its next owner finds it by this flag.
ALTER TABLE orchestrator.runs ADD COLUMN IF NOT EXISTS handed_out boolean NOT NULL DEFAULT false;
CREATE INDEX runs_handed_out ON orchestrator.runs (shard) WHERE handed_out;

-- Tasks that wait for a worker. A row is written and deleted by the statements that make the task wait and hand it out.
CREATE TABLE orchestrator.waiting_tasks (
  run_id text COLLATE "C" NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  handler text COLLATE "C" NOT NULL,
  -- The priority with its sign changed.
  rank smallint NOT NULL,
  ready_at timestamptz NOT NULL,
  -- The run is held.
  held boolean NOT NULL,
  PRIMARY KEY (run_id, task_path)
);
CREATE INDEX waiting_tasks_order ON orchestrator.waiting_tasks (tenant_id, queue, handler, rank, ready_at, run_id, task_path);
