/** An error of another instance on its way to the caller. */
import { GRPC_NAME, type GrpcCode } from "../../base/error-catalog/entry.ts";
import { ERRORS } from "../../base/error-catalog.ts";
import { OrchestratorError } from "../../base/errors.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { fromStatus } from "./from-status.ts";
import { toConnectHttp } from "./http-status.ts";

/**
 * An error that keeps its code, message, and details even if this version does not know its reason: during a rolling
 * upgrade the other instance can be newer.
 */
export class PassedError extends OrchestratorError {
  readonly status: Status;

  constructor(status: Status) {
    const { code, details, violations, repeat, retryAfterMs } = fromStatus(status);
    super(code, details, { violations, repeat, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    this.status = status;
    this.message = status.message;
  }

  override get grpc(): GrpcCode {
    return (GRPC_NAME[this.status.code] ?? "UNKNOWN") as GrpcCode;
  }

  override get http(): number {
    return this.code === "CALL_REFUSED" ? toConnectHttp(this.status.code) : ERRORS[this.code].http;
  }
}
