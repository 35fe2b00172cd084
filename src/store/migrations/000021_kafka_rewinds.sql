-- Rises when the position is moved by force: the log does not have it, or somebody wants messages read again. A reader of
-- an earlier generation stores nothing any more.
ALTER TABLE orchestrator.kafka_offsets ADD COLUMN generation integer NOT NULL DEFAULT 0;

-- Who had messages read again, or left out, and why.
CREATE TABLE orchestrator.kafka_rewinds (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  from_offset bigint NOT NULL,
  to_offset bigint NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
