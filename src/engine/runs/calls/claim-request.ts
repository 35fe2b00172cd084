/** Request ids of calls that start several runs: one id covers the whole call. */
import { toError } from "../../../base/errors.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Journal } from "../../ports/journal.ts";
import { checkText } from "./texts.ts";

/** Claims a request id for a call. Error: REQUEST_ID_REUSED if another call has it. */
export async function claimRequest(
  journal: Pick<Journal, "keepAnswer" | "findConflict">,
  { tenantId }: Caller,
  requestId: string,
  requestHash: string,
): Promise<void> {
  checkText("request_id", requestId);
  for (;;) {
    if (await journal.keepAnswer({ tenantId, requestId, requestHash, runId: "" })) return;
    const conflict = await journal.findConflict({ tenantId, requestId, runId: "", flowId: "", runKey: "" });
    // Without a conflict the id belonged to a rejected start and is free now.
    if (conflict === null) continue;
    if (conflict.requestHash !== requestHash) throw toError("REQUEST_ID_REUSED", { requestId });
    return;
  }
}
