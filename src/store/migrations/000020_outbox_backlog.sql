-- Topics are skipped while they take nothing, however long their backlog is.
CREATE INDEX outbox_topics ON orchestrator.outbox (topic, shard, id);

-- Whether the task whose message was rejected has failed. Others than tasks learn nothing of it.
ALTER TABLE orchestrator.outbox_rejected ADD COLUMN settled boolean NOT NULL DEFAULT false;
UPDATE orchestrator.outbox_rejected SET settled = true WHERE kind <> 'task';
CREATE INDEX outbox_rejected_open ON orchestrator.outbox_rejected (shard, id) WHERE NOT settled;
