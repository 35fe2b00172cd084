-- Suspects: runs that were in hand when an owner of their shard died. A new owner tries them one after the other and says here which one it has in hand, before it
-- touches it. A row goes when the run came through that moment, and all rows of a run go when it has made progress.
CREATE TABLE orchestrator.suspects (
  run_id text COLLATE "C" NOT NULL,
  -- What the run is tried with: `takeover`, the type and task of an event, or `loop` when the watchdog saw the event loop stand still in it.
  moment text COLLATE "C" NOT NULL,
  shard smallint NOT NULL,
  in_hand boolean NOT NULL,
  -- Nothing else was in hand: a death counts against this run.
  alone boolean NOT NULL,
  -- The watchdog named it: it is put into quarantine at the next takeover.
  blocked boolean NOT NULL DEFAULT false,
  -- Owners in a row that died with this run, alone, in hand at this moment.
  deaths smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (run_id, moment)
);
CREATE INDEX suspects_shard ON orchestrator.suspects (shard);

-- Written by releases before this table, which may still run beside this one; read by nobody.
COMMENT ON COLUMN orchestrator.runs.takeovers IS 'unused since suspects are kept in orchestrator.suspects';
