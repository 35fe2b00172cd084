import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { findGoalTables, placeGoalTables, warnOfTakenGoalTables } from "./goal-table-places.ts";
import type { Database } from "./pool.ts";
import { findViewPlaces, makeSchema, moveViews, placeViews, warnOfTakenNames } from "./seed-views.ts";
import type { SqlRunner } from "./sql.ts";
import { storeFailureOf } from "./sqlstate.ts";

/** One step of the schema: a file `NNNNNN_name.sql`. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. A migration that was applied anywhere is never edited. */
  readonly checksum: string;
  /**
   * The fewest migrations that a release must know to work on the schema that this file leaves behind, from the line
   * `-- min_reader: N` that the file begins with. A file without that line demands a release that knows it.
   */
  readonly minReader: number;
}

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../migrations/", import.meta.url));

/** The line that a migration begins with. */
const MIN_READER = /^-- min_reader: (\d+)\n/;

/** Key of the advisory lock that lets one instance at a time migrate; any constant that nobody else uses. */
const LOCK_KEY = "7206417342061001";

/**
 * Reads the migrations of a folder in order. Throws MIGRATION_INVALID if a number is missing or duplicated, a file is
 * misnamed, or a `min_reader` is lower than one before or higher than the file's own number.
 */
export function readMigrations(folder: string = MIGRATIONS_FOLDER): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  let least = 1;
  return names.map((name, index) => {
    const version = Number(/^(\d{6})_[a-z0-9_]+\.sql$/.exec(name)?.[1]);
    if (version !== index + 1)
      fail("MIGRATION_INVALID", { migration: name, problem: `expected number ${String(index + 1).padStart(6, "0")}` });
    const sql = readFileSync(join(folder, name), "utf8");
    const minReader = Number(MIN_READER.exec(sql)?.[1] ?? version);
    if (minReader < least || minReader > version)
      fail("MIGRATION_INVALID", { migration: name, problem: `expected min_reader from ${least} to ${version}` });
    least = minReader;
    return { version, name: basename(name), sql, checksum: createHash("sha256").update(sql).digest("hex"), minReader };
  });
}

/** Result of {@link runMigrations}. */
export interface MigrationResult {
  /** Current version of the schema; a newer release may have migrated it further than this build knows. */
  readonly version: number;
  /** Names of the files that this call applied. */
  readonly applied: readonly string[];
}

/**
 * Migrates the schema to the newest version. Each migration runs in its own transaction together with its row in
 * `orchestrator.schema_migrations`, under an advisory lock, so that several instances can start at once and a killed
 * one leaves nothing half done. If there is nothing to do, it costs four small queries and no lock. The views and
 * tables that have the names of other systems' tables go to `viewSchema`, see seed-views.ts and goal-table-places.ts.
 * A database that a newer release has migrated is left as it is. Throws STORE_TOO_NEW if this build cannot work on it,
 * MIGRATION_INVALID if an applied file was edited.
 */
export async function runMigrations(
  database: Database,
  log: Log,
  migrations: readonly Migration[] = readMigrations(),
  viewSchema = "public",
): Promise<MigrationResult> {
  let done = checkApplied(migrations, await readApplied(database.reads));
  if (done > migrations.length) log.info("a newer release has migrated the database", { schema: done });
  if (done >= migrations.length) {
    const places = await findViewPlaces(database.reads, viewSchema);
    const tables = await findGoalTables(database.reads, viewSchema);
    warnOfTakenNames(places, log);
    warnOfTakenGoalTables(tables, log);
    if (places.current === places.wanted && tables.current === tables.wanted) return { version: done, applied: [] };
  }
  const applied: string[] = [];
  // Building an index on a large table may take longer than the statement timeout; so may waiting for the lock.
  const session = await database.openSession("migrations", {
    statementMs: 0,
    answerMs: 0,
    lockMs: 0,
    idleInTransactionMs: 0,
  });
  try {
    while (done < migrations.length) {
      const outcome = await applyNext(session, migrations, viewSchema);
      done = outcome.version;
      if (outcome.name === undefined) continue;
      applied.push(outcome.name);
      log.info("migration applied", { migration: outcome.name });
    }
    const { places, tables } = await underLock(session, () => placeSeedNames(session, viewSchema));
    if (applied.length > 0) {
      warnOfTakenNames(places, log);
      warnOfTakenGoalTables(tables, log);
    }
  } finally {
    await session.close();
  }
  return { version: done, applied };
}

/** Brings the views and tables with names of other systems to where they belong. */
async function placeSeedNames(runner: SqlRunner, schema: string) {
  const places = await findViewPlaces(runner, schema);
  const tables = await findGoalTables(runner, schema);
  await moveViews(runner, places);
  await makeSchema(runner, tables.wanted);
  await placeGoalTables(runner, tables);
  return { places, tables };
}

/** Applies the next file. Returns no name if another instance was faster. */
function applyNext(
  runner: SqlRunner,
  migrations: readonly Migration[],
  viewSchema: string,
): Promise<{ version: number; name?: string }> {
  return underLock(runner, async () => {
    const version = checkApplied(migrations, await readApplied(runner));
    const next = migrations[version];
    if (next === undefined) return { version };
    await createTable(runner);
    const { current } = await findViewPlaces(runner, viewSchema);
    await makeSchema(runner, current);
    await applyFile(runner, next, current);
    await runner.query(
      "INSERT INTO orchestrator.schema_migrations (version, name, checksum, min_reader) VALUES ($1, $2, $3, $4)",
      [next.version, next.name, next.checksum, next.minReader],
    );
    return { version: next.version, name: next.name };
  });
}

/** Runs one transaction, in which no other instance migrates. */
async function underLock<T>(runner: SqlRunner, change: () => Promise<T>): Promise<T> {
  await runner.query("BEGIN");
  try {
    await runner.query(`SELECT pg_advisory_xact_lock(${LOCK_KEY})`);
    const result = await change();
    await runner.query("COMMIT");
    return result;
  } catch (error) {
    // The session is closed after an error; this only releases the lock a moment sooner.
    await runner.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/**
 * Runs the statements of the file. Errors are reported to the operator who starts the service, in the server's own
 * words.
 */
async function applyFile(runner: SqlRunner, migration: Migration, viewSchema: string): Promise<void> {
  try {
    await runner.query(placeViews(migration.sql, viewSchema));
  } catch (error) {
    const kind = storeFailureOf(error)?.kind;
    if (kind !== "refused" && kind !== "data") throw error;
    const { cause } = error as Error;
    fail(
      "MIGRATION_INVALID",
      { migration: migration.name, problem: cause instanceof Error ? cause.message : String(cause) },
      { cause },
    );
  }
}

async function createTable(runner: SqlRunner): Promise<void> {
  await runner.query("CREATE SCHEMA IF NOT EXISTS orchestrator");
  await runner.query(`CREATE TABLE IF NOT EXISTS orchestrator.schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`);
  await runner.query("ALTER TABLE orchestrator.schema_migrations ADD COLUMN IF NOT EXISTS min_reader integer");
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  /** Null: applied by a release that kept none. */
  readonly minReader: number | null;
}

async function readApplied(runner: SqlRunner): Promise<readonly AppliedRow[]> {
  const { rows } = await runner.query<{ found: boolean }>(
    "SELECT to_regclass('orchestrator.schema_migrations') IS NOT NULL AS found",
  );
  if (rows[0]?.found !== true) return [];
  return (
    await runner.query<AppliedRow>(
      `SELECT version, name, checksum, (to_jsonb(m) ->> 'min_reader')::int AS "minReader"
      FROM orchestrator.schema_migrations m ORDER BY version`,
    )
  ).rows;
}

/** Returns the number of applied migrations after comparing each that this build knows with its file. */
function checkApplied(migrations: readonly Migration[], rows: readonly AppliedRow[]): number {
  const known = migrations.length;
  const newest = rows.at(-1)?.version ?? 0;
  const needed = Math.max(0, ...rows.slice(known).map(({ version, minReader }) => minReader ?? version));
  if (needed > known) fail("STORE_TOO_NEW", { found: newest, needed, known });
  for (const [index, row] of rows.slice(0, known).entries()) {
    const migration = migrations[index];
    if (row.version !== index + 1 || migration === undefined) {
      fail("MIGRATION_INVALID", { migration: row.name, problem: `the database holds no row for number ${index + 1}` });
    }
    if (migration.checksum !== row.checksum) {
      fail("MIGRATION_INVALID", {
        migration: row.name,
        problem: "the file is not the one that was applied; undo the edit and add a new migration",
      });
    }
  }
  return newest;
}

/** The schema of a database. */
export interface SchemaVersion {
  /** Number of applied migrations; 0: the database is empty. */
  readonly version: number;
  /** The fewest migrations that a release must know to start on it. */
  readonly minReader: number;
}

/** Reads what is applied, and no file. */
export async function readSchemaVersion(runner: SqlRunner): Promise<SchemaVersion> {
  return versionOf(await readApplied(runner));
}

function versionOf(rows: readonly AppliedRow[]): SchemaVersion {
  return {
    version: rows.at(-1)?.version ?? 0,
    minReader: Math.max(0, ...rows.map(({ version, minReader }) => minReader ?? version)),
  };
}

/** The schema of a database beside the migrations of this build. */
export interface SchemaStatus extends SchemaVersion {
  /** Names of the files that {@link runMigrations} would apply. */
  readonly pending: readonly string[];
}

/** Reads the state of the schema and changes nothing. Errors: those of {@link runMigrations}. */
export async function readSchemaStatus(
  runner: SqlRunner,
  migrations: readonly Migration[] = readMigrations(),
): Promise<SchemaStatus> {
  const rows = await readApplied(runner);
  const version = checkApplied(migrations, rows);
  return { ...versionOf(rows), pending: migrations.slice(version).map(({ name }) => name) };
}
