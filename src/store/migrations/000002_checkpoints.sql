-- Checkpoints of graphs: what LangGraph needs to go on where an attempt stopped. A thread is one graph task in one generation; its id is the idempotency key of the task.

-- The newest attempt of a thread. Every write of a checkpoint locks this row at its own token, so that a late attempt cannot write any more.
CREATE TABLE orchestrator.graph_threads (
  tenant_id text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  fencing_token bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, thread_id)
);
CREATE INDEX graph_threads_run ON orchestrator.graph_threads (tenant_id, run_id);

-- The newest checkpoint of a namespace is the one with the highest position: ids are made from the clock of a machine, and clocks jump.
CREATE TABLE orchestrator.graph_checkpoints (
  tenant_id text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  position bigint GENERATED ALWAYS AS IDENTITY,
  parent_id text COLLATE "C",
  -- Without the values of the channels: {v, id, ts, channel_versions, versions_seen}.
  checkpoint jsonb NOT NULL,
  metadata text NOT NULL,
  PRIMARY KEY (tenant_id, thread_id, namespace, checkpoint_id),
  FOREIGN KEY (tenant_id, thread_id) REFERENCES orchestrator.graph_threads ON DELETE CASCADE
);
CREATE INDEX graph_checkpoints_newest ON orchestrator.graph_checkpoints (tenant_id, thread_id, namespace, position DESC);

-- Values of channels, once per version: a checkpoint names the versions it consists of.
CREATE TABLE orchestrator.graph_channels (
  tenant_id text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (tenant_id, thread_id, namespace, channel, version),
  FOREIGN KEY (tenant_id, thread_id) REFERENCES orchestrator.graph_threads ON DELETE CASCADE
);

-- What nodes wrote after a checkpoint, before the next one: a node that is in here is not run again.
CREATE TABLE orchestrator.graph_writes (
  tenant_id text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  place integer NOT NULL,
  channel text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (tenant_id, thread_id, namespace, checkpoint_id, task_id, place),
  FOREIGN KEY (tenant_id, thread_id) REFERENCES orchestrator.graph_threads ON DELETE CASCADE
);
