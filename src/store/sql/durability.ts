import type { Log } from "../../base/log.ts";
import type { SqlRunner } from "./sql.ts";

/**
 * Makes commits of this session wait until they are on disk, whatever the server or the role has configured. Stricter
 * settings stay.
 */
export async function requireSynchronousCommit(runner: SqlRunner): Promise<void> {
  await runner.query(
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
  );
}

/**
 * Warns about server settings under which an acknowledged change may be lost if the machine fails. They cannot be
 * changed from here.
 */
export async function checkDurability(runner: SqlRunner, log: Log): Promise<void> {
  const { rows } = await runner.query<{ name: string }>(
    "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name",
  );
  if (rows.length === 0) return;
  const settings = rows.map((row) => row.name).join(", ");
  log.warn("the database may lose acknowledged changes when its machine fails: turn these settings on", { settings });
}
