/** Facts about the database for support: nothing of what runs carry. */
import type { Database } from "../sql/pool.ts";

const QUERIES: readonly (readonly [name: string, sql: string])[] = [
  [
    "server",
    `SELECT version() AS version, pg_is_in_recovery() AS standby, now() AS now, pg_postmaster_start_time() AS started_at,
      pg_size_pretty(pg_database_size(current_database())) AS size`,
  ],
  [
    "settings",
    `SELECT name, setting, unit, source FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes',
      'max_connections', 'shared_buffers', 'work_mem', 'max_wal_size', 'wal_level', 'autovacuum', 'statement_timeout',
      'idle_in_transaction_session_timeout', 'default_transaction_isolation', 'TimeZone', 'server_encoding')
    ORDER BY name`,
  ],
  ["migrations", "SELECT version, name, applied_at FROM orchestrator.schema_migrations ORDER BY version"],
  [
    "instances",
    `SELECT i.instance_id, i.address, i.host, i.pid, i.reads, i.leaving, i.expires_at, i.expires_at > clock_timestamp() AS alive,
      (SELECT count(*)::int FROM orchestrator.shard_leases l WHERE l.instance_id = i.instance_id) AS shards
    FROM orchestrator.instances i ORDER BY i.instance_id`,
  ],
  ["leases", "SELECT shard, instance_id, epoch, clean FROM orchestrator.shard_leases ORDER BY shard"],
  [
    "runs",
    "SELECT state, count(*)::int AS runs FROM orchestrator.runs WHERE ended_at IS NULL GROUP BY state ORDER BY state",
  ],
  [
    "tables",
    `SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes, s.n_live_tup AS live, s.n_dead_tup AS dead,
      s.last_autovacuum, s.last_autoanalyze
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE n.nspname = 'orchestrator' AND c.relkind IN ('r', 'p') ORDER BY bytes DESC LIMIT 60`,
  ],
  // Not the texts of statements, which may hold values of others who use the database.
  [
    "sessions",
    `SELECT pid, application_name, state, wait_event_type, wait_event, now() - xact_start AS transaction_age,
      now() - state_change AS since, pg_blocking_pids(pid) AS blocked_by
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY xact_start NULLS LAST LIMIT 200`,
  ],
];

/** The answers by name; in the place of one that the database refuses, its error. */
export async function readDatabaseFacts({ reads }: Pick<Database, "reads">): Promise<ReadonlyMap<string, unknown>> {
  const facts = new Map<string, unknown>();
  for (const [name, sql] of QUERIES) {
    try {
      facts.set(name, (await reads.query(sql)).rows);
    } catch (error) {
      // What can be read is worth something without it.
      facts.set(name, { error: error instanceof Error ? error.message : String(error) });
    }
  }
  return facts;
}
