-- Goals that have changed since the tables `tasks` and `task_results` were written: a trigger marks them in the statement
-- that changes them, and src/store/goals/goal-tables.ts shows them. Others lock, alter, and refer to those tables, so the
-- transactions of the journal do not touch them.
CREATE TABLE orchestrator.unshown_goals (
  mark bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id text COLLATE "C" NOT NULL,
  -- Tries that failed, and when the next one is due; null: none has failed.
  failures integer NOT NULL DEFAULT 0,
  retry_at timestamptz
);
CREATE INDEX unshown_goals_new ON orchestrator.unshown_goals (mark) WHERE retry_at IS NULL;
CREATE INDEX unshown_goals_due ON orchestrator.unshown_goals (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX unshown_goals_run ON orchestrator.unshown_goals (run_id);
DROP TRIGGER IF EXISTS show_goal ON orchestrator.goals;
DROP FUNCTION IF EXISTS orchestrator.show_goal();
CREATE FUNCTION orchestrator.mark_goal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO orchestrator.unshown_goals (run_id) VALUES (coalesce(NEW.run_id, OLD.run_id));
  RETURN NULL;
END $$;
CREATE TRIGGER mark_goal AFTER INSERT OR UPDATE OR DELETE ON orchestrator.goals
  FOR EACH ROW EXECUTE FUNCTION orchestrator.mark_goal();
