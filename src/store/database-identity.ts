/**
 * What tells a database from its copies: the server that it was made on and its object id there. A dump that was loaded
 * elsewhere, or a copy made with `CREATE DATABASE … TEMPLATE`, has another one. A base backup and a promoted replica
 * keep it.
 */
import { invariant } from "../base/errors.ts";
import { prepared, type SqlRunner } from "./sql/sql.ts";

const FULL = prepared(
  "identity.full",
  `SELECT system_identifier || '/' || d.oid AS identity FROM pg_control_system(), pg_database d
  WHERE d.datname = current_database()`,
);
// For servers that show no control data.
const BY_ID = prepared(
  "identity.by_id",
  "SELECT '/' || oid AS identity FROM pg_database WHERE datname = current_database()",
);

/** Reads the identity of the connected database. Errors: those of the store. */
export async function readDatabaseIdentity(runner: SqlRunner): Promise<string> {
  const { rows } = await runner
    .query<{ identity: string }>(FULL)
    // If it was the connection that failed, the second statement fails, too.
    .catch(() => runner.query<{ identity: string }>(BY_ID));
  const [row] = rows;
  invariant(row, "the current database exists");
  return row.identity;
}
