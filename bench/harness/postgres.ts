/**
 * The Postgres of one sitting: the same server and settings for the service, the bare write loop, and every peer that
 * uses Postgres. It is the product's embedded server, on the disk of the checkout, with `fsync` on.
 */
import path from "node:path";
import pg from "pg";
import { clusterPaths } from "../../src/store/embedded/embedded-cluster.ts";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.ts";

/**
 * Settings that differ from those of the embedded server: cache memory, connections for the peers' pools, and WAL space
 * so that no checkpoint disturbs only one subject. None weakens durability.
 */
const SETTINGS = {
  max_connections: "300",
  shared_buffers: "512MB",
  min_wal_size: "2GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
} as const;

export interface BenchPostgres {
  /** Process id of the postmaster; its children are the backends. */
  readonly pid: number;
  readonly version: string;
  /** Every setting on the server's command line, by name. */
  readonly settings: Readonly<Record<string, string>>;
  /** Runs one statement as the owner, in the maintenance database or a named one. */
  readonly query: (sql: string, database?: string) => Promise<Record<string, unknown>[]>;
  /**
   * Recreates the database empty and runs a checkpoint, so that every subject starts from the same state. Returns its
   * URL.
   */
  readonly freshDatabase: (database: string) => Promise<string>;
  /** Log file of the server. */
  readonly logFile: string;
  readonly close: () => Promise<void>;
}

/** Starts a new, empty server in a folder below `parent`. The caller removes the folder. */
export async function openBenchPostgres(parent: string): Promise<BenchPostgres> {
  const folder = path.join(parent, "postgres");
  const server = await openEmbeddedPostgres({ folder, settings: SETTINGS });
  const { host, port, user } = server.connection;
  const urlOf = (database: string): string =>
    `postgresql://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
  const query = async (sql: string, database = "postgres"): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: urlOf(database) });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const settings = await query(
    "SELECT name, current_setting(name) AS value FROM pg_settings WHERE source = 'command line' ORDER BY name",
  );
  const [version] = await query("SHOW server_version");
  return {
    get pid() {
      return server.pid ?? 0;
    },
    version: String(version?.server_version),
    settings: Object.fromEntries(settings.map(({ name, value }) => [String(name), String(value)])),
    query,
    freshDatabase: async (database) => {
      await query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await query(`CREATE DATABASE ${database}`);
      await query("CHECKPOINT");
      return urlOf(database);
    },
    logFile: clusterPaths(server.folder).log,
    close: () => server.close(),
  };
}

/** Fills and recycles WAL segments once, so that the first subject does not pay for files that later ones reuse. */
export async function warmWriteAheadLog(postgres: BenchPostgres): Promise<void> {
  await postgres.query("CREATE TABLE IF NOT EXISTS wal_warmth (filler text)");
  for (let round = 0; round < 4; round++) {
    await postgres.query("INSERT INTO wal_warmth SELECT repeat(md5(i::text), 30) FROM generate_series(1, 250000) AS i");
    await postgres.query("TRUNCATE wal_warmth");
  }
  await postgres.query("DROP TABLE wal_warmth");
  await postgres.query("CHECKPOINT");
}
