/** Reads errors of the catalog from the wire. */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
import { ERRORS } from "../../base/error-catalog.ts";
import { type ErrorCode, OrchestratorError, type Repeat, toError } from "../../base/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { fromDuration } from "../mapping/time.ts";

/**
 * The error in a status, with its violations. A code that this version does not know becomes CALL_REFUSED with the
 * message of the service.
 */
export function fromStatus(status: Status): OrchestratorError {
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined => {
    const detail = status.details.find(({ typeUrl }) => typeUrl.endsWith(`/${schema.typeName}`));
    return detail === undefined ? undefined : fromBinary(schema, detail.value);
  };
  const info = find(ErrorInfoSchema);
  const retry = find(RetryInfoSchema)?.retryDelay;
  const options = {
    violations: find(BadRequestSchema)?.fieldViolations.map(({ field, description }) => ({ field, description })) ?? [],
    // What the service says about this call, which can differ from the catalog.
    repeat: (info?.metadata.repeat ?? "") as Repeat,
    ...(retry === undefined ? {} : { retryAfterMs: fromDuration(retry) }),
  };
  if (info !== undefined && Object.hasOwn(ERRORS, info.reason))
    return new OrchestratorError(info.reason as ErrorCode, info.metadata, options);
  const name = Object.entries(GRPC_CODE).find(([, code]) => code === status.code)?.[0] ?? String(status.code);
  return toError("CALL_REFUSED", { status: info?.reason ?? name, message: status.message }, options);
}
