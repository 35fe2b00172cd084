/** Errors of the command line and of clients, and the one for bugs. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const CLIENT_ERRORS = {
  SERVICE_UNREACHABLE: entry(
    "UNAVAILABLE",
    503,
    "request_id",
    "no service answers at {address} ({problem}); start one with `orchestrator serve` or name another with --server",
  ),
  TRANSFER_CODING_UNKNOWN: entry("UNIMPLEMENTED", 501, "no", "transfer coding {coding} is unknown; send chunked"),
  CLIENT_CLOSED: entry("FAILED_PRECONDITION", 400, "no", "the client was closed; open a new one to call"),
  CALL_REFUSED: entry("UNKNOWN", 502, "no", "the service answered {status}: {message}"),
  ADDRESS_INVALID: entry(
    "INVALID_ARGUMENT",
    400,
    "no",
    "{address} is not the address of a service; write host:port, http://host:port, or https://host:port",
  ),
  PROFILE_NOT_FOUND: entry("NOT_FOUND", 404, "no", "there is no profile named {name}{hint}"),
  PROFILE_INVALID: entry("INVALID_ARGUMENT", 400, "no", "the profile file {path} cannot be used: {problem}"),
  FILE_UNREADABLE: entry("INVALID_ARGUMENT", 400, "no", "{path} cannot be read: {problem}"),
  INTERNAL: entry("INTERNAL", 500, "no", "internal error; its id in the log is {errorId}"),
} as const satisfies Record<string, CatalogueEntry>;
