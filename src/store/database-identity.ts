/**
 * What tells a database from its copies: the system identifier of its server, its object id there, and that of one of
 * our tables. A dump that was loaded, into whatever database, and a copy made with `CREATE DATABASE … TEMPLATE` have
 * another one. A base backup, a copy of the data folder, and a promoted replica keep it.
 */
import { invariant } from "../base/errors.ts";
import { prepared, type SqlRunner } from "./sql/sql.ts";

const IDS = "oid || '/' || 'orchestrator.settings'::regclass::oid";

const MAY_SEE = prepared(
  "identity.may_see",
  "SELECT has_function_privilege('pg_control_system()', 'execute') AS allowed",
);
const FULL = prepared(
  "identity.full",
  `SELECT system_identifier || '/' || ${IDS} AS identity FROM pg_control_system(), pg_database
  WHERE datname = current_database()`,
);
const WITHOUT_SERVER = prepared(
  "identity.without_server",
  `SELECT '/' || ${IDS} AS identity FROM pg_database WHERE datname = current_database()`,
);

/** Reads the identity of the connected database. Errors: those of the store. */
export async function readDatabaseIdentity(runner: SqlRunner): Promise<string> {
  const { rows: rights } = await runner.query<{ allowed: boolean }>(MAY_SEE);
  const statement = rights[0]?.allowed === true ? FULL : WITHOUT_SERVER;
  const { rows } = await runner.query<{ identity: string }>(statement);
  const [row] = rows;
  invariant(row, "the current database exists");
  return row.identity;
}

/** Whether two identities are of one database. A role that may not see the server cannot tell it from another one. */
export function isSameDatabase(one: string, other: string): boolean {
  const [server, ...ids] = one.split("/");
  const [otherServer, ...otherIds] = other.split("/");
  return ids.join("/") === otherIds.join("/") && (server === otherServer || server === "" || otherServer === "");
}
