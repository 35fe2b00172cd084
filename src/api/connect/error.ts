/** Errors of the catalog as errors of the Connect library. */
import { type Code, ConnectError } from "@connectrpc/connect";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
import type { OrchestratorError } from "../../base/errors.ts";
import { toStatus } from "../errors/status.ts";

/** Converts an error with all its details, within the limits for trailers. */
export function toConnectError(error: OrchestratorError, requestId = ""): ConnectError {
  const { message, details } = toStatus(error, { requestId, inHeaders: true });
  const result = new ConnectError(message, GRPC_CODE[error.grpc] as Code);
  result.details = details.map((any) => ({
    type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
    value: any.value,
  }));
  return result;
}
