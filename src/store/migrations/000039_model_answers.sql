-- Answers of models that may be given again to the same tenant.
CREATE TABLE orchestrator.model_answers (
  tenant_id text NOT NULL,
  key text COLLATE "C" NOT NULL,
  answer text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX model_answers_expired ON orchestrator.model_answers (expires_at);
