-- Overrides may be about a model (provider/model), or about all calls of a flow or the tenant: then service, origin, and model are
-- empty.
ALTER TABLE orchestrator.tool_overrides ADD COLUMN model text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orchestrator.tool_overrides DROP CONSTRAINT tool_overrides_pkey;
ALTER TABLE orchestrator.tool_overrides ADD PRIMARY KEY (tenant_id, service, origin, flow_id, task, model);
