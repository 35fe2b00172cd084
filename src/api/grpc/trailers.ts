/** Trailers: status, message, and details at the end of a call. */
import type { OutgoingHttpHeaders } from "node:http2";
import { toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { GRPC_CODE, type GrpcCode } from "../../base/error-catalog/entry.ts";
import type { OrchestratorError } from "../../base/errors.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { encodeMessage, retryDelayMs, toStatus } from "../errors/status.ts";

/** Trailers of a successful call. */
export const OK_TRAILERS: OutgoingHttpHeaders = { "grpc-status": "0" };

/** Codes that generic clients retry unless they are told not to. */
const RETRIED: readonly GrpcCode[] = ["UNAVAILABLE", "RESOURCE_EXHAUSTED"];

/** Any negative number has this effect. */
const DO_NOT_RETRY = "-1";

/** Trailers of a failed call. */
export function toTrailers(error: OrchestratorError, requestId: string): OutgoingHttpHeaders {
  const status = toStatus(error, { requestId, inHeaders: true });
  const retryMs = retryDelayMs(error);
  return {
    "grpc-status": String(GRPC_CODE[error.grpc]),
    // The same message as in the details: clients that compare the two reject a mismatch.
    "grpc-message": encodeMessage(status.message),
    "grpc-status-details-bin": base64Encode(toBinary(StatusSchema, status), "std_raw"),
    ...(retryMs === null && !RETRIED.includes(error.grpc)
      ? {}
      : { "grpc-retry-pushback-ms": retryMs === null ? DO_NOT_RETRY : String(Math.ceil(retryMs)) }),
  };
}
