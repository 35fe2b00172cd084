-- Of `deaths`, those of instances that did not read the message but owned its run. They are deaths of owners that the
-- message explains, though `owner_deaths` does not name it.
ALTER TABLE orchestrator.kafka_suspects ADD COLUMN others_deaths smallint NOT NULL DEFAULT 0;
