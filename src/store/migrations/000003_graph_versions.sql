-- The version of the graph that a thread began with: its later attempts run that one and no other. Threads that are older than this column began with the version of
-- modules that name none.
ALTER TABLE orchestrator.graph_threads ADD COLUMN graph_version text COLLATE "C" NOT NULL DEFAULT '1';
