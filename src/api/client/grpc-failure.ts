import type { Status } from "../../gen/google/rpc/status_pb.ts";

/** A call that the service rejected, or that did not complete. */
export class GrpcFailure extends Error {
  override readonly name = "GrpcFailure";
  /** Numeric gRPC status. */
  readonly code: number;
  /** The status details; null if there are none or they cannot be read. */
  readonly status: Status | null;

  constructor(code: number, message: string, status: Status | null, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = status;
  }
}
