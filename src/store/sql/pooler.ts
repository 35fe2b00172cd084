/**
 * Detects a pooler (PgBouncer, for instance) between us and the server, and adapts to it.
 *
 * In transaction mode, each transaction may run on a different server connection: session settings and prepared
 * statements are gone, or belong to other clients. Two things reveal a pooler: it rejects startup parameters, or the
 * server process that responds is not the one that was announced when connecting. Behind a pooler, each statement is a
 * transaction that begins with its settings, and nothing is prepared.
 */
import type { ClientBase } from "pg";
import type { StatementMode } from "./sql-runner.ts";

/** Settings by name, as `SET` takes them. */
export type SessionSettings = Readonly<Record<string, string>>;

/** Whether this is the error of a pooler that does not accept one of our startup parameters. */
export function refusesParameters(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "08P01" &&
    error.message.startsWith("unsupported startup parameter")
  );
}

/**
 * Whether the server process that responds differs from the one that was announced when connecting: a pooler is in
 * between.
 */
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
