-- Tasks have the names by which executors know them, where their flow gives them some.
CREATE OR REPLACE VIEW public.task_execution_history AS
SELECT
  -- From facts that stay, and not counted over all rows: who asks for one run must not read the others.
  r.id * 1048576 + min(e.position) AS id,
  r.run_id,
  coalesce(max(spec.external_id) || substr(e.task_id, max(spec.length) + 1), e.task_id) AS task_id,
  coalesce(max(e.record -> 'input' ->> 'handler') FILTER (WHERE spec.type IN ('queue', 'worker')), max(spec.handler), max(spec.type), 'task') AS handler,
  CASE (array_agg(e.record ->> 'type' ORDER BY e.position DESC) FILTER (WHERE e.record ->> 'type' <> 'task.checkpointed'))[1]
    WHEN 'task.dispatched' THEN
      CASE WHEN (array_agg(e.record ? 'to' ORDER BY e.position DESC) FILTER (WHERE e.record ->> 'type' = 'task.dispatched'))[1] THEN 'SCHEDULED' ELSE 'RUNNING' END
    WHEN 'task.returned' THEN 'SCHEDULED'
    WHEN 'task.started' THEN 'RUNNING'
    WHEN 'task.detached' THEN 'RUNNING'
    WHEN 'task.expanded' THEN 'RUNNING'
    WHEN 'task.suspended' THEN 'WAITING'
    WHEN 'task.failed' THEN
      CASE WHEN (array_agg(e.record ->> 'timedOut' ORDER BY e.position DESC))[1] = 'true' THEN 'TIMED_OUT' ELSE 'FAILED' END
    ELSE upper(split_part((array_agg(e.record ->> 'type' ORDER BY e.position DESC) FILTER (WHERE e.record ->> 'type' <> 'task.checkpointed'))[1], '.', 2))
  END AS status,
  coalesce(max((e.record ->> 'attempt')::integer), 0) AS attempts,
  CASE max(spec.type)
    WHEN 'queue' THEN (array_agg(coalesce(e.record -> 'input' -> 'inputs', '{}') ORDER BY e.position) FILTER (WHERE e.record ? 'input'))[1]
    WHEN 'worker' THEN (array_agg(e.record -> 'input' -> 'input' ORDER BY e.position) FILTER (WHERE e.record ? 'input'))[1]
    ELSE (array_agg(e.record -> 'input' ORDER BY e.position) FILTER (WHERE e.record ? 'input'))[1]
  END AS input_data,
  (array_agg(e.record -> 'output' ORDER BY e.position DESC) FILTER (WHERE e.record ? 'output'))[1] AS output_data,
  (array_agg(e.record -> 'error' ->> 'message' ORDER BY e.position DESC) FILTER (WHERE e.record ? 'error'))[1] AS error_message,
  -- A column of this type holds 24 days.
  least(2147483647, coalesce(
    (array_agg((e.record ->> 'tookMs')::double precision ORDER BY e.position DESC)
      FILTER (WHERE e.record ->> 'type' IN ('task.completed', 'task.failed', 'task.canceled')))[1],
    max((e.record ->> 'at')::double precision) FILTER (WHERE e.record ->> 'type' IN ('task.completed', 'task.failed', 'task.canceled'))
    - max((e.record ->> 'at')::double precision) FILTER (WHERE e.record ->> 'type' IN ('task.dispatched', 'task.waiting', 'task.expanded', 'task.started'))
  ))::integer AS execution_time_ms,
  to_timestamp(min((e.record ->> 'at')::double precision) / 1000) AS created_at,
  to_timestamp(max((e.record ->> 'at')::double precision) / 1000) AS updated_at,
  to_timestamp(max((e.record ->> 'at')::double precision)
    FILTER (WHERE e.record ->> 'type' IN ('task.completed', 'task.failed', 'task.skipped', 'task.canceled', 'task.compensated')) / 1000)
    AS completed_at
FROM orchestrator.runs r
JOIN LATERAL (
  SELECT item.record, orchestrator.task_path(item.record ->> 'task') AS task_id, j.sequence + item.place - 1 AS position
  FROM orchestrator.journal j
  CROSS JOIN LATERAL jsonb_array_elements(orchestrator.read_json(j.records)) WITH ORDINALITY AS item(record, place)
  WHERE j.run_day = r.run_day AND j.run_id = r.run_id AND item.record ->> 'type' LIKE 'task.%'
) e ON true
LEFT JOIN LATERAL (
  SELECT task ->> 'type' AS type, task ->> 'external_id' AS external_id, length(task ->> 'id') AS length,
     CASE WHEN task ->> 'type' IN ('queue', 'worker') THEN task -> 'parameters' ->> 'handler' END AS handler
  FROM orchestrator.flow_versions f
  CROSS JOIN LATERAL jsonb_array_elements(coalesce(f.document -> 'workflow' -> 'tasks', '[]'::jsonb)) AS task
  WHERE f.tenant_id = r.tenant_id AND f.flow_id = r.flow_id AND f.version = r.version
    AND task ->> 'id' = split_part(split_part(e.task_id, '~', 1), '.', 1)
) spec ON true
GROUP BY r.id, r.run_id, e.task_id;
