-- Why a message was rejected, in one word; the reason says it in full.
ALTER TABLE orchestrator.outbox_rejected ADD COLUMN code text COLLATE "C" NOT NULL DEFAULT 'REFUSED';
