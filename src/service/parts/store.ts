/** The database: embedded or by URL, migrated, with its table maintenance. */
import { join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/settings.ts";
import { removeOldMessages } from "../../store/bus/message-retention.ts";
import type { EmbeddedConnection } from "../../store/embedded/embedded-postgres.ts";
import { keepPartitions } from "../../store/journal/partitions.ts";
import { keepRecentOperations } from "../../store/operations/operation-retention.ts";
import { createRequestIdRemoval } from "../../store/request-ids.ts";
import { keepRecent } from "../../store/retention.ts";
import { keepRunCounts, type RunCounts } from "../../store/run-counts.ts";
import { explainAccess } from "../../store/sql/access.ts";
import { checkDurability } from "../../store/sql/durability.ts";
import { type MigrationResult, readSchemaStatus, runMigrations, type SchemaStatus } from "../../store/sql/migrate.ts";
import { type Database, openDatabase } from "../../store/sql/pool.ts";
import type { Parts } from "./parts.ts";

/** An open store. */
export interface Store {
  readonly database: Database;
  readonly counts: RunCounts;
  /** Description of the store for people: `embedded PostgreSQL in ./data` or the host of the URL. */
  readonly description: string;
  /** No other instance uses the database. */
  readonly alone: boolean;
  /** Parameters for opening a separate connection. */
  readonly target: string | EmbeddedConnection;
}

/** Opens the store and brings its schema up to date, or requires that it is. Errors: DATA_FOLDER_…, STORE_…. */
export async function openStore(config: Config, log: Log, parts: Parts): Promise<Store> {
  const { opened, schema } = await openSchema(config, log, parts);
  const { database } = opened;
  if (config.store.migrations === "apply") await schema.migrate();
  else await requireSchema(schema);
  await checkDurability(database.reads, log);
  const partitions = await keepPartitions(database, log);
  parts.onClose(() => partitions.stop());
  const counts = keepRunCounts(database, log);
  parts.onClose(() => counts.stop());
  const operations = keepRecentOperations(database, config.store.operationRetention, log);
  parts.onClose(() => operations.stop());
  const { messageRetention, requestIdRetention } = config.store;
  const removeMessages = (isStopping: () => boolean) => removeOldMessages(database, messageRetention, isStopping);
  const messages = keepRecent("rejected messages", removeMessages, messageRetention, log);
  parts.onClose(() => messages.stop());
  const removeRequestIds = createRequestIdRemoval(database, requestIdRetention);
  const requestIds = keepRecent("request ids", removeRequestIds, requestIdRetention, log);
  parts.onClose(() => requestIds.stop());
  return { ...opened, counts };
}

/** Throws STORE_TOO_OLD if something is missing. */
export async function requireSchema(schema: Schema): Promise<void> {
  const [pending] = (await schema.status()).pending;
  if (pending !== undefined) fail("STORE_TOO_OLD", { pending });
}

/** The schema of the configured database. */
export interface Schema {
  /** Errors: STORE_TOO_NEW, MIGRATION_INVALID. */
  status(): Promise<SchemaStatus>;
  /** Errors: those of {@link runMigrations}. */
  migrate(): Promise<MigrationResult>;
}

/** Connects to the database and leaves its schema as it is. Errors: DATA_FOLDER_…, STORE_…. */
export async function openSchema(
  config: Config,
  log: Log,
  parts: Parts,
): Promise<{ readonly opened: Omit<Store, "counts">; readonly schema: Schema }> {
  const { databaseUrl } = config.store;
  const opened =
    databaseUrl === undefined
      ? await openEmbedded(config, log, parts)
      : {
          database: await connect(databaseUrl, config, log, parts),
          description: `PostgreSQL at ${new URL(databaseUrl).host}`,
          alone: false,
          target: databaseUrl,
        };
  const { database } = opened;
  const explain = (error: unknown): never => {
    throw databaseUrl === undefined ? error : explainAccess(error, databaseUrl);
  };
  return {
    opened,
    schema: {
      status: () => readSchemaStatus(database.reads).catch(explain),
      migrate: () => runMigrations(database, log, undefined, config.legacy.schema).catch(explain),
    },
  };
}

async function openEmbedded(config: Config, log: Log, parts: Parts): Promise<Omit<Store, "counts">> {
  const { dataDir } = config.store;
  const { openEmbeddedPostgres } = await import("../../store/embedded/embedded-postgres.ts");
  const embedded = await openEmbeddedPostgres({ folder: join(resolve(dataDir), "postgres"), log });
  parts.onClose(() => embedded.close());
  const database = await connect(embedded.connection, config, log, parts);
  return { database, description: `embedded PostgreSQL in ${dataDir}`, alone: true, target: embedded.connection };
}

async function connect(
  target: string | EmbeddedConnection,
  { store: { readConnections, preparedStatements } }: Config,
  log: Log,
  parts: Parts,
): Promise<Database> {
  const database = await openDatabase({
    target,
    log,
    readConnections,
    prepareStatements: preparedStatements,
    onWait: (pool, waitedMs) =>
      parts.metrics.histogram("orchestrator_db_pool_wait_seconds", pool).observe(waitedMs / 1_000),
  });
  parts.onClose(() => database.close());
  return database;
}
