-- Messages leave by several ways, each with a relay of its own, which finds its rows without reading those of the others.
ALTER TABLE orchestrator.outbox ADD COLUMN destination text COLLATE "C" NOT NULL DEFAULT 'kafka';
ALTER TABLE orchestrator.outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (shard, destination, id);
DROP INDEX orchestrator.outbox_topics;
CREATE INDEX outbox_topics ON orchestrator.outbox (destination, topic, shard, id);
ALTER TABLE orchestrator.outbox_rejected ADD COLUMN destination text COLLATE "C" NOT NULL DEFAULT 'kafka';
