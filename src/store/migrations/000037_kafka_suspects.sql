-- Who reads a partition, and from where; null: it gave the partition back, or nobody has read it.
ALTER TABLE orchestrator.kafka_offsets
  -- The incarnation of the instance, as in `shard_leases`.
  ADD COLUMN reader text COLLATE "C",
  ADD COLUMN taken_offset bigint;

-- Messages that are tried alone because a reader died: the one in progress, and those with which readers died. A row
-- goes when its message has passed or is rejected.
CREATE TABLE orchestrator.kafka_suspects (
  cluster_id text COLLATE "C" NOT NULL,
  topic_id text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  message_offset bigint NOT NULL,
  -- Named, and not yet tried to the end.
  in_progress boolean NOT NULL,
  -- Readers that died with this message, and no other, in progress.
  deaths smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (cluster_id, topic_id, partition, message_offset)
);

COMMENT ON COLUMN orchestrator.owner_deaths.run_id IS
  'what was alone in progress: a run, or with the moment `message` a message, topic id/partition/offset';
