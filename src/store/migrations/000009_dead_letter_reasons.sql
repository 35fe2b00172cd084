-- Why a task became a dead letter: ATTEMPTS_EXHAUSTED, NOT_RETRYABLE, DEFERRED_TOO_LONG or OUT_OF_TIME. Empty for those from before this column.
ALTER TABLE orchestrator.dead_letters ADD COLUMN reason text NOT NULL DEFAULT '';
