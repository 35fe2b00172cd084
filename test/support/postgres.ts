import { randomBytes } from "node:crypto";
import { afterAll, inject } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import type { EmbeddedConnection } from "../../src/store/embedded/embedded-postgres.ts";
import { type Database, openDatabase } from "../../src/store/sql/pool.ts";
import { TEMPLATE_DATABASE, testTarget, testUrl } from "./test-server.ts";

/** A database for one test file. */
export interface TestDatabase {
  /** Its pools, closed at the end of the file. */
  readonly database: Database;
  /** For further pools, which the test closes itself. */
  readonly target: EmbeddedConnection;
  /** For processes that are started with DATABASE_URL. */
  readonly url: string;
}

/**
 * Clones the migrated template, or creates an empty database with `{ empty: true }`; dropped after the file. Call it in
 * the body of a file or of a `describe`, or in `beforeAll`, not in a test. Only for suites that vitest.config.ts marks
 * with `postgres`. With `{ anyFlow: true }` it accepts runs of unregistered flows.
 */
export async function createTestDatabase(
  options: { readonly empty?: boolean; readonly anyFlow?: boolean } = {},
): Promise<TestDatabase> {
  const server = inject("postgres");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await administer(`CREATE DATABASE ${name}${options.empty === true ? "" : ` TEMPLATE ${TEMPLATE_DATABASE}`}`);
  const target = testTarget(server, name);
  const database = await openDatabase({ target, log: silentLog });
  if (options.anyFlow === true) await takeAnyFlow(database);
  afterAll(async () => {
    await database.close();
    await administer(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  return { database, target, url: testUrl(server, name) };
}

/**
 * Copies a test database as it is, after it has lost its sessions, and returns the URL of the copy; dropped after the
 * file. Call it where `createTestDatabase` may be called, or hand `drop` to what runs at the end.
 */
export async function copyTestDatabase(url: string, onEnd: (drop: () => Promise<void>) => void): Promise<string> {
  const server = inject("postgres");
  const name = new URL(url).pathname.slice(1);
  const copy = `${name}_copy`;
  await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
  await administer(`CREATE DATABASE ${copy} TEMPLATE ${name}`);
  onEnd(() => administer(`DROP DATABASE ${copy} WITH (FORCE)`));
  return testUrl(server, copy);
}

/** Makes a migrated database accept runs of unregistered flows. */
export async function takeAnyFlow({ reads }: Pick<Database, "reads">): Promise<void> {
  await reads.query("ALTER TABLE orchestrator.runs DISABLE TRIGGER runs_versions");
}

/**
 * Adds the columns of later migrations that every transition writes, so that a database of an older release takes what
 * this build writes.
 */
export async function addLaterColumns({ reads }: Pick<Database, "reads">): Promise<void> {
  await reads.query("ALTER TABLE orchestrator.runs ADD COLUMN handed_out boolean NOT NULL DEFAULT false");
}

async function administer(sql: string): Promise<void> {
  // Copying a database flushes it to disk, which is slow on a busy machine.
  const timeouts = { statementMs: 60_000, answerMs: 60_000 };
  const target = testTarget(inject("postgres"), "postgres");
  const admin = await openDatabase({ target, log: silentLog, timeouts });
  try {
    await admin.reads.query(sql);
  } finally {
    await admin.close();
  }
}
