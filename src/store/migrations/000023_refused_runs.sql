-- A run that was refused at its start has no version of a flow: there is none to hold.
CREATE OR REPLACE FUNCTION orchestrator.hold_flow_versions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  -- Rows are locked in the order of their keys. A row that a deletion has locked is waited for, and is gone when the deletion has committed.
  WITH used AS MATERIALIZED (
    SELECT DISTINCT tenant_id COLLATE "default" AS tenant_id, flow_id, version COLLATE "C" AS version, flow_hash FROM after_rows WHERE flow_hash <> ''
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
