-- An approval is known by the number of the event that asked: a task may ask more than once (loops, graphs that are interrupted again).
-- Rows of before get the number of the last event of their task that asked. A row whose journal cannot be read is left out.
ALTER TABLE orchestrator.approvals ADD COLUMN approval_id integer;
DO $$
DECLARE
  asked record;
BEGIN
  FOR asked IN SELECT a.run_id, a.task_path, r.run_day FROM orchestrator.approvals a JOIN orchestrator.runs r USING (run_id) LOOP
    BEGIN
      UPDATE orchestrator.approvals SET approval_id = (
        SELECT max(j.sequence + item.place - 1)
        FROM orchestrator.journal j
        CROSS JOIN LATERAL jsonb_array_elements(orchestrator.read_json(j.records)) WITH ORDINALITY AS item(record, place)
        WHERE j.run_day = asked.run_day AND j.run_id = asked.run_id AND item.record ->> 'task' = asked.task_path
          AND item.record ->> 'type' IN ('task.waiting', 'task.suspended') AND item.record -> 'wait' ->> 'kind' = 'approval'
      ) WHERE run_id = asked.run_id AND task_path = asked.task_path;
    EXCEPTION WHEN data_exception THEN NULL;
    END;
  END LOOP;
END $$;
DELETE FROM orchestrator.approvals WHERE approval_id IS NULL;
ALTER TABLE orchestrator.approvals DROP CONSTRAINT approvals_pkey, ADD PRIMARY KEY (run_id, approval_id);
