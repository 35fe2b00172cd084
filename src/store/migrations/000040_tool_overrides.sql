-- What operators say about breakers and bulkheads. Either service or origin is empty; an empty flow or task stands for all of them.
CREATE TABLE orchestrator.tool_overrides (
  tenant_id text COLLATE "C" NOT NULL,
  service text COLLATE "C" NOT NULL,
  origin text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  -- Null: the breaker decides.
  breaker text COLLATE "C" CHECK (breaker IN ('open', 'closed')),
  -- Null: as configured.
  max_concurrent integer,
  max_queued integer,
  -- Null: until it is lifted.
  until timestamptz,
  since timestamptz NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (tenant_id, service, origin, flow_id, task)
);

-- Calls to let breakers begin anew, for a while: each instance makes them once.
CREATE TABLE orchestrator.breaker_resets (
  reset_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id text COLLATE "C" NOT NULL,
  service text COLLATE "C" NOT NULL,
  origin text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
