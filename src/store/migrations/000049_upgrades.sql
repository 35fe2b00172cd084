-- min_reader: 49
-- Rolling upgrades. The first line of a file says how many migrations a release must know to work on the schema that the
-- file leaves behind; migrate.ts keeps it in orchestrator.schema_migrations, and a release that knows fewer does not start.

-- The newest version of the journal's format that may be written: that of the release which created the database, until
-- `orchestrator upgrade finalize` raises it. Databases older than this file hold nothing newer than version 4.
INSERT INTO orchestrator.settings (name, value)
SELECT 'journal_version', '4' WHERE EXISTS (SELECT FROM orchestrator.settings WHERE name = 'shards');

-- The release that an instance runs; null: older than this file.
ALTER TABLE orchestrator.instances ADD COLUMN release text;
