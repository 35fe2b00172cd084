-- Templates that a model wrote and a person approved. They never change.
CREATE TABLE orchestrator.templates (
  tenant_id text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  source text NOT NULL,
  -- Hex SHA-256 of the canonical document.
  hash text NOT NULL,
  -- The run that wrote it.
  generation_id text NOT NULL,
  approved_by text NOT NULL,
  approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, template_id)
);
-- Generations: runs of the built-in flow that writes templates.
CREATE TABLE orchestrator.generations (
  run_id text COLLATE "C" PRIMARY KEY,
  tenant_id text NOT NULL,
  prompt text NOT NULL,
  domain text NOT NULL,
  complexity text NOT NULL,
  required_services jsonb NOT NULL,
  status text NOT NULL,
  -- Of the template that the draft is or may become; empty: there is no draft yet.
  template_id text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX generations_newest ON orchestrator.generations (tenant_id, created_at DESC, run_id DESC);
CREATE INDEX generations_by_status ON orchestrator.generations (tenant_id, status, created_at DESC, run_id DESC);
