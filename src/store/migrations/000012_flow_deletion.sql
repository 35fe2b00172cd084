-- Deletion of flow versions that no run uses. A run refers to its version by (tenant_id, flow_id, version) and content hash. The two meet in the lock of the version's row:
-- a start holds it FOR KEY SHARE until it has committed, a deletion takes it FOR UPDATE before it counts the runs.

-- Counts of runs by version: how many runs a deletion would orphan is known without reading them.
DROP VIEW orchestrator.run_totals;
ALTER TABLE orchestrator.run_counts
  ADD COLUMN version text NOT NULL DEFAULT '',
  DROP CONSTRAINT run_counts_pkey,
  ADD PRIMARY KEY (tenant_id, flow_id, version, state);
ALTER TABLE orchestrator.run_count_changes ADD COLUMN version text NOT NULL DEFAULT '';

-- The truth: the same as SELECT tenant_id, flow_id, version, state, count(*) FROM orchestrator.runs GROUP BY tenant_id, flow_id, version, state.
CREATE VIEW orchestrator.run_totals AS
SELECT tenant_id, flow_id, version, state, sum(count)::bigint AS count
FROM (
  SELECT tenant_id, flow_id, version, state, count FROM orchestrator.run_counts
  UNION ALL SELECT tenant_id, flow_id, version, state, count FROM orchestrator.run_count_changes
) AS parts
GROUP BY tenant_id, flow_id, version, state
HAVING sum(count) <> 0;

CREATE OR REPLACE FUNCTION orchestrator.recount_runs() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE orchestrator.runs IN SHARE MODE;
  LOCK TABLE orchestrator.run_counts IN SHARE ROW EXCLUSIVE MODE;
  DELETE FROM orchestrator.run_count_changes;
  DELETE FROM orchestrator.run_counts;
  INSERT INTO orchestrator.run_counts (tenant_id, flow_id, version, state, count)
  SELECT tenant_id, flow_id, version, state, count(*) FROM orchestrator.runs GROUP BY tenant_id, flow_id, version, state;
END
$$;

CREATE OR REPLACE FUNCTION orchestrator.count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, version, state, count)
    SELECT tenant_id, flow_id, version, state, count(*) FROM after_rows GROUP BY tenant_id, flow_id, version, state;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, version, state, count)
    SELECT tenant_id, flow_id, version, state, sum(n) FROM (
      SELECT tenant_id, flow_id, version, state, 1 AS n FROM after_rows
      UNION ALL SELECT tenant_id, flow_id, version, state, -1 FROM before_rows
    ) AS both_rows
    GROUP BY tenant_id, flow_id, version, state HAVING sum(n) <> 0;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO orchestrator.run_count_changes (tenant_id, flow_id, version, state, count)
    SELECT tenant_id, flow_id, version, state, -count(*) FROM before_rows GROUP BY tenant_id, flow_id, version, state;
  ELSE
    PERFORM orchestrator.recount_runs();
  END IF;
  RETURN NULL;
END
$$;

SELECT orchestrator.recount_runs();

-- Refuses runs of a version that is not registered, or that was registered again with other content, and keeps the versions of all others until the transaction ends. A foreign
-- key would do so row by row; this costs one query for each statement.
CREATE FUNCTION orchestrator.hold_flow_versions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  -- Rows are locked in the order of their keys. A row that a deletion has locked is waited for, and is gone when the deletion has committed.
  WITH used AS MATERIALIZED (
    SELECT DISTINCT tenant_id COLLATE "default" AS tenant_id, flow_id, version COLLATE "C" AS version, flow_hash FROM after_rows
  ),
  held AS MATERIALIZED (
    SELECT f.tenant_id, f.flow_id, f.version, f.hash
    FROM orchestrator.flow_versions f
    JOIN used u ON f.tenant_id = u.tenant_id AND f.flow_id = u.flow_id AND f.version = u.version
    ORDER BY f.tenant_id, f.flow_id, f.version
    FOR KEY SHARE OF f
  )
  SELECT u.flow_id, u.version INTO gone
  FROM used u
  LEFT JOIN held h ON h.tenant_id = u.tenant_id AND h.flow_id = u.flow_id AND h.version = u.version AND h.hash = u.flow_hash
  WHERE h.hash IS NULL
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', SCHEMA = 'orchestrator', TABLE = 'runs', CONSTRAINT = 'runs_flow_version',
      MESSAGE = format('flow %s version %s is not registered with the content that a new run was started with', gone.flow_id, gone.version);
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER runs_versions AFTER INSERT ON orchestrator.runs
  REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.hold_flow_versions();

-- Deletions by their request id: the same call again is answered like the first one, whatever was registered since.
CREATE TABLE orchestrator.flow_deletions (
  tenant_id text COLLATE "C" NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  deleted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, request_id)
);

-- Deletes a version and says what became of it: `deleted` (also by the same request id before), `missing`, `used` by so many runs, or `reused`: the request id deleted another
-- version. Each statement sees what was committed before it began, so runs are counted after the lock is held.
CREATE FUNCTION orchestrator.delete_flow_version(tenant text, flow text, flow_version text, request text)
RETURNS TABLE (outcome text, deleted_at timestamptz, run_count bigint) LANGUAGE plpgsql AS $$
DECLARE
  is_there boolean;
  before record;
BEGIN
  PERFORM FROM orchestrator.flow_versions f WHERE f.tenant_id = tenant AND f.flow_id = flow AND f.version = flow_version FOR UPDATE;
  is_there := FOUND;
  run_count := 0;
  IF request <> '' THEN
    SELECT d.flow_id, d.version, d.deleted_at AS at INTO before FROM orchestrator.flow_deletions d WHERE d.tenant_id = tenant AND d.request_id = request;
    IF FOUND THEN
      deleted_at := before.at;
      outcome := CASE WHEN before.flow_id = flow AND before.version = flow_version THEN 'deleted' ELSE 'reused' END;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  IF NOT is_there THEN
    outcome := 'missing';
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT coalesce(sum(t.count), 0) INTO run_count FROM orchestrator.run_totals t WHERE t.tenant_id = tenant AND t.flow_id = flow AND t.version = flow_version;
  IF run_count > 0 THEN
    outcome := 'used';
    RETURN NEXT;
    RETURN;
  END IF;
  deleted_at := clock_timestamp();
  IF request <> '' THEN
    -- Another call may be using the id for another version right now: it is waited for.
    INSERT INTO orchestrator.flow_deletions (tenant_id, request_id, flow_id, version, deleted_at)
    VALUES (tenant, request, flow, flow_version, delete_flow_version.deleted_at) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      outcome := 'reused';
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  DELETE FROM orchestrator.flow_versions f WHERE f.tenant_id = tenant AND f.flow_id = flow AND f.version = flow_version;
  outcome := 'deleted';
  RETURN NEXT;
END
$$;
