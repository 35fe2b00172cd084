/** How programs of this package call the service: over gRPC, or the same methods in this process. */
import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { fromBinary, getOption } from "@bufbuild/protobuf";
import { GRPC_CODE } from "../../base/error-entry.ts";
import { ERRORS, type ErrorCode, OrchestratorError, type Repeat, toError } from "../../base/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { Idempotency, policy } from "../../gen/orchestrator/options/v1/options_pb.ts";
import { fromDuration } from "../mapping/time.ts";

/** Bounds of one call. */
export interface ClientCallOptions {
  /** Deadline of a unary call, milliseconds; 30,000. */
  readonly timeoutMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/** A client of the service. Errors are those of the catalogue, as the service gave them; SERVICE_UNREACHABLE when nothing answers, CALL_REFUSED when the answer is not of this service. */
export interface ApiClient {
  /** Calls a unary method. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): Promise<MessageShape<O>>;
  /** Calls a server-streaming method. Ending the iteration ends the call. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: ClientCallOptions,
  ): AsyncIterable<MessageShape<O>>;
  close(): Promise<void>;
}

/** Whether a call may be sent again when nobody knows what became of it. `request` tells whether it carries a request id. */
export function isRepeatable(method: DescMethod, request: { readonly requestId?: unknown }): boolean {
  const { idempotency } = getOption(method, policy);
  // The probes of other contracts have no policy: they only read.
  if (idempotency === Idempotency.UNSPECIFIED) return true;
  if (idempotency === Idempotency.REQUEST_ID) return typeof request.requestId === "string" && request.requestId !== "";
  return idempotency === Idempotency.READ_ONLY || idempotency === Idempotency.IDEMPOTENT;
}

/** The error that a service put on the wire, with its violations. A code that this version does not know becomes CALL_REFUSED with the sentence of the service. */
export function fromStatus(status: Status): OrchestratorError {
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined => {
    const detail = status.details.find(({ typeUrl }) => typeUrl.endsWith(`/${schema.typeName}`));
    return detail === undefined ? undefined : fromBinary(schema, detail.value);
  };
  const info = find(ErrorInfoSchema);
  const retry = find(RetryInfoSchema)?.retryDelay;
  const options = {
    violations: find(BadRequestSchema)?.fieldViolations.map(({ field, description }) => ({ field, description })) ?? [],
    // What the service said of this call, which may be less than the catalogue says of the code.
    repeat: (info?.metadata.repeat ?? "") as Repeat,
    ...(retry === undefined ? {} : { retryAfterMs: fromDuration(retry) }),
  };
  if (info !== undefined && Object.hasOwn(ERRORS, info.reason))
    return new OrchestratorError(info.reason as ErrorCode, info.metadata, options);
  const name = Object.entries(GRPC_CODE).find(([, code]) => code === status.code)?.[0] ?? String(status.code);
  return toError("CALL_REFUSED", { status: info?.reason ?? name, message: status.message }, options);
}
