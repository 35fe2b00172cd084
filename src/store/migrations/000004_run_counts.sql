-- How many runs there are, by tenant, flow and state, without counting them. Whoever writes headers adds what changed to an append-only table, in the same statement; now and
-- then that is folded into the sums. Batches share no row of either table, so none waits for another.

CREATE TABLE orchestrator.run_counts (
  tenant_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (tenant_id, flow_id, state)
);

-- Not folded yet: what came and went, summed per statement. Emptied about once a second while runs move, so its end is not cut off: batches would wait for that.
CREATE TABLE orchestrator.run_count_changes (
  tenant_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  count bigint NOT NULL
) WITH (vacuum_truncate = false);

-- The truth: the same as SELECT tenant_id, flow_id, state, count(*) FROM orchestrator.runs GROUP BY tenant_id, flow_id, state.
CREATE VIEW orchestrator.run_totals AS
SELECT tenant_id, flow_id, state, sum(count)::bigint AS count
FROM (
  SELECT tenant_id, flow_id, state, count FROM orchestrator.run_counts
  UNION ALL SELECT tenant_id, flow_id, state, count FROM orchestrator.run_count_changes
) AS parts
GROUP BY tenant_id, flow_id, state
HAVING sum(count) <> 0;

-- Counts all headers anew, a second for some millions; nobody writes headers meanwhile. Nothing in the product needs it: it is for tables that were restored without their
-- triggers, or written while triggers were off.
CREATE FUNCTION orchestrator.recount_runs() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE orchestrator.runs IN SHARE MODE;
  LOCK TABLE orchestrator.run_counts IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM orchestrator.run_count_changes;
  DELETE FROM orchestrator.run_counts;
  INSERT INTO orchestrator.run_counts (tenant_id, flow_id, state, count)
  SELECT tenant_id, flow_id, state, count(*) FROM orchestrator.runs GROUP BY tenant_id, flow_id, state;
END
$$;

-- One call for all rows of a statement, whoever wrote it: the group commit, what sets runs aside, an instance of an older release, a deletion, somebody by hand. Only what was
-- really written comes here: no move that the fence dropped, no start whose key was taken. A write that changes no state adds nothing.
CREATE FUNCTION orchestrator.count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, state, count)
    SELECT tenant_id, flow_id, state, count(*) FROM after_rows GROUP BY tenant_id, flow_id, state;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, state, count)
    SELECT tenant_id, flow_id, state, sum(n) FROM (
      SELECT tenant_id, flow_id, state, 1 AS n FROM after_rows
      UNION ALL SELECT tenant_id, flow_id, state, -1 FROM before_rows
    ) AS both_rows
    GROUP BY tenant_id, flow_id, state HAVING sum(n) <> 0;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, state, count)
    SELECT tenant_id, flow_id, state, -count(*) FROM before_rows GROUP BY tenant_id, flow_id, state;
  ELSE
    PERFORM orchestrator.recount_runs();
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER runs_came AFTER INSERT ON orchestrator.runs
  REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_runs();
CREATE TRIGGER runs_changed AFTER UPDATE ON orchestrator.runs
  REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_runs();
CREATE TRIGGER runs_went AFTER DELETE ON orchestrator.runs
  REFERENCING OLD TABLE AS before_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_runs();
CREATE TRIGGER runs_emptied AFTER TRUNCATE ON orchestrator.runs FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.count_runs();

-- Runs that are there already. Since the triggers were made nobody else has written, and nobody will before this transaction ends.
SELECT orchestrator.recount_runs();
