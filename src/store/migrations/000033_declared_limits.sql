-- Limits that flow versions name. `relies`: a task has no bounds of its own.
CREATE TABLE orchestrator.flow_limits (
  tenant_id text NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  relies boolean NOT NULL,
  PRIMARY KEY (tenant_id, name, flow_id, version),
  FOREIGN KEY (tenant_id, flow_id, version) REFERENCES orchestrator.flow_versions ON DELETE CASCADE
);
CREATE INDEX flow_limits_version ON orchestrator.flow_limits (tenant_id, flow_id, version);
