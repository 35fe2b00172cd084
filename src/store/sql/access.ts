/**
 * Explains why a database that was given by URL cannot be used: which server was asked, as which user, and what to
 * correct. The text is for the operator who starts the service; callers never see it.
 */
import { toError } from "../../base/errors.ts";
import { parseDatabaseUrl } from "./database-url.ts";
import { storeFailureOf } from "./sqlstate.ts";

/** Errors of the server when connecting and migrating, by SQLSTATE. */
const REFUSALS: Readonly<Record<string, (place: Place) => string>> = {
  "3D000": ({ database }) => `there is no database ${database}; create it`,
  "28000": ({ user }) => `it does not let the role ${user} in; create the role, or allow it in pg_hba.conf`,
  "28P01": ({ user }) => `the password for the role ${user} is wrong`,
  "42501": ({ user, database }) =>
    `the role ${user} lacks a right; let it create schemas: GRANT CREATE ON DATABASE ${database} TO ${user}`,
};

interface Place {
  readonly address: string;
  readonly database: string;
  readonly user: string;
}

/**
 * Returns the error to show when opening the database at `url` failed: STORE_ACCESS_REFUSED if the server responds and
 * refuses, STORE_UNAVAILABLE with its address if it does not respond. Other errors are returned unchanged. Neither
 * contains the password.
 */
export function explainAccess(error: unknown, url: string): unknown {
  const failure = storeFailureOf(error);
  if (failure === undefined) return error;
  const place = placeOf(url);
  const refusal = REFUSALS[failure.sqlState ?? ""];
  if (refusal !== undefined)
    return toError("STORE_ACCESS_REFUSED", { address: place.address, problem: refusal(place) }, { cause: error });
  const { address, database, user } = place;
  if (failure.sqlState !== undefined || (failure.kind !== "unavailable" && failure.kind !== "timeout")) return error;
  const what = failure.kind === "timeout" ? "does not answer in time" : `cannot be connected to${codeOf(error)}`;
  const problem = `${address} ${what} (database ${database}, role ${user}); start it, or correct ORCHESTRATOR_DATABASE_URL (or DATABASE_URL)`;
  return toError("STORE_UNAVAILABLE", { problem }, { cause: error });
}

function placeOf(text: string): Place {
  const url = new URL(parseDatabaseUrl(text));
  const host = url.searchParams.get("host") ?? url.hostname;
  const port = url.searchParams.get("port") ?? (url.port === "" ? "5432" : url.port);
  const database = decodeURIComponent(url.pathname.slice(1));
  return { address: `${host}:${port}`, database, user: decodeURIComponent(url.username) || "of the operating system" };
}

/** ` (ECONNREFUSED)`: the error code of the system. */
function codeOf(error: unknown): string {
  const { cause } = error as Error;
  const parts: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  for (const part of parts) {
    const { code } = (part ?? {}) as { readonly code?: unknown };
    if (typeof code === "string") return ` (${code})`;
  }
  return "";
}
