-- What was rejected is removed after a time.
CREATE INDEX outbox_rejected_old ON orchestrator.outbox_rejected (rejected_at) WHERE settled;
CREATE INDEX rejected_messages_old ON orchestrator.rejected_messages (rejected_at);
