-- Messages to topics: events of `emit` tasks and tasks for executors.
ALTER TABLE orchestrator.outbox
  ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'event',
  -- Sequence of the record in its run.
  ADD COLUMN sequence integer NOT NULL DEFAULT 0;
ALTER TABLE orchestrator.outbox
  SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- How a waiting task reaches the one that does it: over the session of a worker, or on a topic.
ALTER TABLE orchestrator.waiting_tasks ADD COLUMN transport text COLLATE "C" NOT NULL DEFAULT 'worker';
CREATE INDEX waiting_tasks_topics ON orchestrator.waiting_tasks (run_id, task_path) WHERE transport = 'topic';

-- Messages that can never be sent, such as one that is larger than the broker takes.
CREATE TABLE orchestrator.outbox_rejected (
  shard smallint NOT NULL,
  id bigint NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  tenant_id text NOT NULL,
  kind text COLLATE "C" NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  payload text NOT NULL,
  sequence integer NOT NULL,
  created_at timestamptz NOT NULL,
  reason text NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (shard, id)
);

-- How far each partition of an inbound topic has been read: everything before `next_offset` is applied or rejected. The
-- id of a topic changes when it is deleted and created anew.
CREATE TABLE orchestrator.kafka_offsets (
  cluster_id text COLLATE "C" NOT NULL,
  topic_id text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cluster_id, topic_id, partition)
);

-- Inbound messages that cannot be understood or applied, as they came.
CREATE TABLE orchestrator.rejected_messages (
  cluster_id text COLLATE "C" NOT NULL,
  topic_id text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  message_offset bigint NOT NULL,
  key bytea,
  value bytea,
  -- Names and values in turn, in the order of the message.
  headers bytea[] NOT NULL,
  sent_at timestamptz NOT NULL,
  reason text NOT NULL,
  message text NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cluster_id, topic_id, partition, message_offset)
);
