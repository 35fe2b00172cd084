/** Database cost of a subject: commits and WAL bytes, read before it connects and after it disconnects. */
import { setTimeout as delay } from "node:timers/promises";
import type { BenchPostgres } from "./postgres.ts";

/** Counters of one database at one time. */
export interface DatabaseCounters {
  readonly commits: number;
  readonly walBytes: number;
}

/**
 * Reads the counters once no client is connected: a backend reports its statistics when it ends, before it leaves the
 * list of activities. Rejects if a client is still connected after ten seconds.
 */
export async function readDatabaseCounters(postgres: BenchPostgres, database: string): Promise<DatabaseCounters> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const [row] = await postgres.query(
      `SELECT xact_commit::float8 AS commits, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal,
         (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname AND a.backend_type = 'client backend')::int AS clients
       FROM pg_stat_database d WHERE datname = '${database}'`,
    );
    if (Number(row?.clients) === 0) return { commits: Number(row?.commits), walBytes: Number(row?.wal) };
    await delay(100);
  }
  throw new Error(`The database ${database} still has clients.`);
}
