/** Which calls may be sent again. */
import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { Idempotency, policy } from "../../gen/orchestrator/options/v1/options_pb.ts";

/** Whether a call with an unknown outcome can be sent again. `request` tells whether it has a request id. */
export function isRepeatable(method: DescMethod, request: { readonly requestId?: unknown }): boolean {
  const { idempotency } = getOption(method, policy);
  // Probes of other contracts have no policy: they only read.
  if (idempotency === Idempotency.UNSPECIFIED) return true;
  if (idempotency === Idempotency.REQUEST_ID) return typeof request.requestId === "string" && request.requestId !== "";
  return idempotency === Idempotency.READ_ONLY || idempotency === Idempotency.IDEMPOTENT;
}
