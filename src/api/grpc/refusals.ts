/**
 * Details for what grpc-js refuses by itself, before any handler: messages over the limit, unknown compression, bytes that do not expand, a bad `grpc-timeout`.
 * It answers them with a bare code and sentence, past all interceptors; so the one place through which every status of a call goes is wrapped.
 */
import type { status as GrpcStatus, ServerInterceptingCallInterface, ServerInterceptor } from "@grpc/grpc-js";
import { GRPC_CODE, type OrchestratorError, toError } from "../../base/errors.ts";

type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** An interceptor that adds no layer to the call. `print` makes the status of an error. */
export function completeRefusals(print: (error: OrchestratorError) => Status): ServerInterceptor {
  return (_method, call) => {
    const send = call.sendStatus;
    call.sendStatus = (status: Status) => send.call(call, complete(status, print));
    return call as ReturnType<ServerInterceptor>;
  };
}

function complete(status: Status, print: (error: OrchestratorError) => Status): Status {
  if (status.code === 0 || (status.metadata?.get("grpc-status-details-bin").length ?? 0) > 0) return status;
  const error = errorOf(status.code ?? (GRPC_CODE.UNKNOWN as GrpcStatus), status.details ?? "");
  return error === null ? status : print(error);
}

/** The error of the catalogue; null for what is not the library's, for instance errors of reflection. */
function errorOf(code: GrpcStatus, problem: string): OrchestratorError | null {
  const [, size, limit] = /larger than max \((\d+) vs\.? (\d+)\)/.exec(problem) ?? [];
  if (size !== undefined && limit !== undefined)
    return toError("MESSAGE_TOO_LARGE", { direction: `message of ${size} bytes`, limit });
  const expanded = /decompresses to a size larger than (?:the )?(?:maximum|max)\D*(\d+)/i.exec(problem)?.[1];
  if (expanded !== undefined) return toError("MESSAGE_TOO_LARGE", { direction: "message", limit: expanded });
  if (code === GRPC_CODE.UNIMPLEMENTED) return toError("PROTOCOL_UNSUPPORTED", { problem });
  if (code === GRPC_CODE.DEADLINE_EXCEEDED) return toError("DEADLINE_EXCEEDED");
  if (code === GRPC_CODE.INTERNAL && /compress|deseriali|grpc-timeout/i.test(problem))
    return toError("REQUEST_MALFORMED", { problem });
  return null;
}
