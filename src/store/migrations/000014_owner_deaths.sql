-- Deaths of owners of the recent past, so that a run is told apart from somebody who kills from outside: deaths that no run accounts for speak against holding one.
-- Owners that stopped in good order have no row.
CREATE TABLE orchestrator.owner_deaths (
  -- The life of an instance that ended. Several instances may take its shards, and each of them writes the row.
  incarnation text PRIMARY KEY,
  died_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The run that was alone in progress, and at which moment; null when there was none.
  run_id text COLLATE "C",
  moment text COLLATE "C",
  -- A run may have caused it: one was in progress, and it has not passed a trial at that moment since.
  explained boolean NOT NULL
);

-- Which life of its owner took the shard: a process that starts again under the same instance id is another one. Instances of releases before this column do not
-- write it; a death of theirs counts as that of the life that is named here.
ALTER TABLE orchestrator.shard_leases ADD COLUMN incarnation text;

-- `suspects.in_hand` keeps its name: instances of the release before read and write it during a rolling upgrade.
COMMENT ON COLUMN orchestrator.suspects.in_hand IS 'in progress: named and not yet tried to the end';
