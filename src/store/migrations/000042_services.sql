-- Services that calls put: where they are, and how they are called.
CREATE SEQUENCE orchestrator.service_revisions;
CREATE TABLE orchestrator.services (
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  -- Changes with each put. Never the same twice, also when a service is deleted and put again.
  revision bigint NOT NULL DEFAULT nextval('orchestrator.service_revisions'),
  -- As an entry of the setting routing.services, without headers.
  entry jsonb NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, name)
);
