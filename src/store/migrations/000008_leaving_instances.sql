-- An instance that is about to stop counts for no share of the shards, but owns what it has until it gives it back.
ALTER TABLE orchestrator.instances ADD COLUMN leaving boolean NOT NULL DEFAULT false;
