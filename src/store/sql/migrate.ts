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
}

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../migrations/", import.meta.url));

/** Key of the advisory lock that lets one instance at a time migrate; any constant that nobody else uses. */
const LOCK_KEY = "7206417342061001";

/**
 * Reads the migrations of a folder in order. Throws MIGRATION_INVALID if a number is missing or duplicated or a file is
 * misnamed.
 */
export function readMigrations(folder: string = MIGRATIONS_FOLDER): readonly Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  return names.map((name, index) => {
    const version = Number(/^(\d{6})_[a-z0-9_]+\.sql$/.exec(name)?.[1]);
    if (version !== index + 1)
      fail("MIGRATION_INVALID", { migration: name, problem: `expected number ${String(index + 1).padStart(6, "0")}` });
    const sql = readFileSync(join(folder, name), "utf8");
    return { version, name: basename(name), sql, checksum: createHash("sha256").update(sql).digest("hex") };
  });
}

/** Result of {@link runMigrations}. */
export interface MigrationResult {
  /** Current version of the schema. */
  readonly version: number;
  /** Names of the files that this call applied. */
  readonly applied: readonly string[];
}

/**
 * Migrates the schema to the newest version. Each migration runs in its own transaction together with its row in
 * `orchestrator.schema_migrations`, under an advisory lock, so that several instances can start at once and a killed
 * one leaves nothing half done. If there is nothing to do, it costs four small queries and no lock. The views and
 * tables that have the names of other systems' tables go to `viewSchema`, see seed-views.ts and goal-table-places.ts.
 * Throws STORE_TOO_NEW if the database has migrations that this build does not know, MIGRATION_INVALID if an applied
 * file was edited.
 */
export async function runMigrations(
  database: Database,
  log: Log,
  migrations: readonly Migration[] = readMigrations(),
  viewSchema = "public",
): Promise<MigrationResult> {
  let done = checkApplied(migrations, await readApplied(database.reads));
  if (done === migrations.length) {
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
    if (version === 0) await createTable(runner);
    const { current } = await findViewPlaces(runner, viewSchema);
    await makeSchema(runner, current);
    await applyFile(runner, next, current);
    await runner.query("INSERT INTO orchestrator.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)", [
      next.version,
      next.name,
      next.checksum,
    ]);
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
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

async function readApplied(runner: SqlRunner): Promise<readonly AppliedRow[]> {
  const { rows } = await runner.query<{ found: boolean }>(
    "SELECT to_regclass('orchestrator.schema_migrations') IS NOT NULL AS found",
  );
  if (rows[0]?.found !== true) return [];
  return (
    await runner.query<AppliedRow>(
      "SELECT version, name, checksum FROM orchestrator.schema_migrations ORDER BY version",
    )
  ).rows;
}

/** Returns the number of applied migrations after comparing each with its file. */
function checkApplied(migrations: readonly Migration[], rows: readonly AppliedRow[]): number {
  const newest = rows.at(-1)?.version ?? 0;
  if (newest > migrations.length) fail("STORE_TOO_NEW", { found: newest, known: migrations.length });
  for (const [index, row] of rows.entries()) {
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
  return rows.length;
}
