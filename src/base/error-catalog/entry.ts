/** Entries of the error catalog. */

/** gRPC status names that the catalog uses; the numbers are those of google.rpc.Code. */
export const GRPC_CODE = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** Name of a gRPC status. */
export type GrpcCode = keyof typeof GRPC_CODE;

/** The names by their numbers. */
export const GRPC_NAME: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(GRPC_CODE).map(([name, code]) => [code, name]),
);

/**
 * Whether the same call may be sent again. `no`: repeating it unchanged never helps. `yes`: it had no effect; send the
 * same request again. `request_id`: its outcome is unknown; send it again if it is read-only, idempotent, or carries a
 * `request_id`, and then with the same one.
 */
export type RetryClass = "no" | "yes" | "request_id";

/** How callers may repeat a call, by retry class. */
export const REPEAT = {
  no: "",
  yes: "SAME_REQUEST",
  request_id: "SAME_REQUEST_ID",
} as const satisfies Record<RetryClass, string>;

/** What the catalog defines for a code. */
export interface CatalogueEntry {
  readonly grpc: GrpcCode;
  readonly http: number;
  readonly retry: RetryClass;
  readonly text: string;
  /** Metadata keys that the sentence does not use and that some errors of the code carry. */
  readonly more: readonly string[];
}

/**
 * Builds an entry with the literal types of its sentence and keys: the details of {@link fail} are checked against
 * them.
 */
export const entry = <const Text extends string, const More extends string = never>(
  grpc: GrpcCode,
  http: number,
  retry: RetryClass,
  text: Text,
  ...more: readonly More[]
) => ({ grpc, http, retry, text, more });
