import type { GrpcCode } from "../base/error-catalog/entry.ts";
import { type ErrorCode, isOrchestratorError } from "../base/errors.ts";

/** Exit codes, explained in docs/cli.md. Numbers never change. */
export const EXIT = {
  /** Success. */
  OK: 0,
  /** A run ended in another state than COMPLETED, or the service is not healthy. */
  RUN_FAILED: 1,
  /** The command, its input, a flow, or the configuration is invalid: the same call can never succeed. */
  USAGE: 2,
  /** The service is unreachable, did not respond in time, or is at its limit: the same call may succeed later. */
  UNAVAILABLE: 3,
  /** The object does not exist, already exists, or is in the wrong state. */
  REFUSED: 4,
  /** The service could not start: a busy port, its data folder, its database. */
  NO_START: 5,
  /** A bug. */
  INTERNAL: 70,
  /** The output could not be written, for example because the disk is full. */
  OUTPUT_LOST: 74,
  /** Ended by Ctrl-C. */
  INTERRUPTED: 130,
  /** The watchdog ended a service whose event loop stood still: 128 + SIGALRM. */
  STALLED: 142,
  /** Ended by SIGTERM. */
  TERMINATED: 143,
} as const;

const BY_STATUS: Readonly<Record<GrpcCode, number>> = {
  CANCELLED: EXIT.INTERRUPTED,
  UNKNOWN: EXIT.INTERNAL,
  INVALID_ARGUMENT: EXIT.USAGE,
  DEADLINE_EXCEEDED: EXIT.UNAVAILABLE,
  NOT_FOUND: EXIT.REFUSED,
  ALREADY_EXISTS: EXIT.REFUSED,
  PERMISSION_DENIED: EXIT.REFUSED,
  RESOURCE_EXHAUSTED: EXIT.UNAVAILABLE,
  FAILED_PRECONDITION: EXIT.REFUSED,
  ABORTED: EXIT.UNAVAILABLE,
  OUT_OF_RANGE: EXIT.REFUSED,
  UNIMPLEMENTED: EXIT.REFUSED,
  INTERNAL: EXIT.INTERNAL,
  UNAVAILABLE: EXIT.UNAVAILABLE,
  DATA_LOSS: EXIT.INTERNAL,
  UNAUTHENTICATED: EXIT.REFUSED,
};

/** Codes for a service that does not start, or a store that cannot be opened. */
const NO_START: ReadonlySet<ErrorCode> = new Set([
  "PORT_IN_USE",
  "DATA_FOLDER_IN_USE",
  "DATA_FOLDER_CORRUPT",
  "DATA_FOLDER_VERSION",
  "EMBEDDED_POSTGRES_MISSING",
  "STORE_TOO_NEW",
  "STORE_TOO_OLD",
  "JOURNAL_TOO_NEW",
  "STORE_RESTORED",
  "STORE_ACCESS_REFUSED",
  "STORE_UNAVAILABLE",
  "STORE_TIMEOUT",
  "MIGRATION_INVALID",
  "GRAPH_MODULE_INVALID",
]);

/** Exit code for an error. `starting` means that the service was starting in this process. */
export function exitCodeOf(error: unknown, starting = false): number {
  if (!isOrchestratorError(error)) return EXIT.INTERNAL;
  if (starting && NO_START.has(error.code)) return EXIT.NO_START;
  // It has the status of temporary limits, but the message stays too large.
  if (error.code === "MESSAGE_TOO_LARGE") return EXIT.USAGE;
  return BY_STATUS[error.grpc];
}
