/**
 * Whether a pooler (PgBouncer, for instance) stands between us and the server, and what follows from it.
 *
 * In its transaction mode each transaction may run on another connection of the server: what a session has set or prepared is gone, or belongs to others. It shows
 * in two ways: startup parameters are refused, or the server process that answers is not the one that the connection was told. Behind one, each statement is a
 * transaction that begins with its settings, and nothing is prepared.
 */
import type { ClientBase } from "pg";
import type { StatementMode } from "./sql-runner.ts";

/** Settings by name, as `SET` takes them. */
export type SessionSettings = Readonly<Record<string, string>>;

/** True for the answer of a pooler that does not take one of our startup parameters. */
export function refusesParameters(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "08P01" &&
    error.message.startsWith("unsupported startup parameter")
  );
}

/** True when the server process that answers is not the one that this connection was told: somebody answers in its place. */
export async function isPooled(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid !== (client as unknown as { readonly processID: number | null }).processID;
}

/** How statements are sent through a pooler. */
export function pooledMode(settings: SessionSettings): StatementMode {
  const local = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true)`);
  // Commits wait until they are on disk, as in durability.ts.
  local.push(
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END",
  );
  return { usePrepared: false, prelude: `SELECT ${local.join(", ")}` };
}
