/** Request ids of calls that start several runs: the id as a whole is taken for what the call asks for. */
import { toError } from "../../../base/errors.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Journal } from "../../ports/journal.ts";
import { checkText } from "./texts.ts";

/** Takes a request id, beside those of single starts. Error: REQUEST_ID_REUSED when another call has it. */
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
    // Without a conflict the id was that of a refused start, and is free by now.
    if (conflict === null) continue;
    if (conflict.requestHash !== requestHash) throw toError("REQUEST_ID_REUSED", { requestId });
    return;
  }
}
