/** Errors of the catalogue in the form of the Connect library. */
import { type Code, ConnectError } from "@connectrpc/connect";
import { GRPC_CODE, type OrchestratorError } from "../base/errors.ts";
import { publicMessage, toStatus } from "./errors.ts";

/** Room for field violations where details travel in a trailer. */
const MAX_VIOLATION_BYTES = 3_000;

/** The error in the library's form, with all details. */
export function toConnectError(error: OrchestratorError): ConnectError {
  const result = new ConnectError(publicMessage(error), GRPC_CODE[error.grpc] as Code);
  result.details = toStatus(error, MAX_VIOLATION_BYTES).details.map((any) => ({
    type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
    value: any.value,
  }));
  return result;
}
