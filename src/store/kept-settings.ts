import type { Database } from "./sql/pool.ts";
import { prepared } from "./sql/sql.ts";

const INSERT = prepared(
  "settings.insert",
  "INSERT INTO orchestrator.settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
);
const READ = prepared("settings.read", "SELECT value FROM orchestrator.settings WHERE name = $1");

/**
 * Returns a value that belongs to the database: the existing one, or else `fresh`, which is then stored. Every instance
 * gets the same value, even if several ask at once. Errors: those of the store.
 */
export async function keepSetting(database: Database, name: string, fresh: () => string): Promise<string> {
  const { rows } = await database.reads.query<{ value: string }>(READ, [name]);
  if (rows[0] !== undefined) return rows[0].value;
  await database.reads.query(INSERT, [name, fresh()]);
  const again = await database.reads.query<{ value: string }>(READ, [name]);
  return again.rows[0]?.value ?? keepSetting(database, name, fresh);
}
