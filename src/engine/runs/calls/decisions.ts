/** Checks of decisions on approvals: the approval exists, its form is filled in, and nobody has decided otherwise. */
import { fail, type OrchestratorError, toError } from "../../../base/errors.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { canonicalJson } from "../../../base/json/json-canonical.ts";
import { formatRfc3339 } from "../../../base/time/rfc3339.ts";
import { checkData } from "../../../tasks/schema/json-schema.ts";
import type { Approval, RunState } from "../../machine/state.ts";

/** A decision from a caller. */
interface Decision {
  readonly approved: boolean;
  readonly comment: string;
  readonly data: Json;
}

/** Finds an approval of a run. Error: APPROVAL_NOT_FOUND. */
export function findApproval({ runId, approvals }: RunState, approvalId: number): Approval {
  return approvals.get(approvalId) ?? fail("APPROVAL_NOT_FOUND", { runId, approvalId });
}

/**
 * Checks the data against the form: an approval is always checked, with missing data as `{}`; a rejection only if it
 * has data. Error: INVALID_REQUEST.
 */
export function checkForm({ parameters }: Approval, { approved, data }: Decision): void {
  const { form } = parameters;
  if (typeof form !== "object" || form === null || (!approved && data === null)) return;
  checkData(form as JsonObject, data ?? {}, "data");
}

/** Throws APPROVAL_DECIDED unless the earlier decision had the same content. */
export function checkDecided({ runId }: RunState, approval: Approval, { approved, comment, data }: Decision): void {
  const isSame =
    approval.state === (approved ? "APPROVED" : "REJECTED") &&
    approval.comment === comment &&
    canonicalJson(approval.data) === canonicalJson(data);
  if (!isSame) throw toDecided(runId, approval);
}

function toDecided(runId: string, { id, task, state, by, endedAt }: Approval): OrchestratorError {
  const decideTime = formatRfc3339(endedAt ?? 0);
  const who = by === "" ? "" : ` by ${by}`;
  const ending = `${ENDING[state]}${who} at ${decideTime}`;
  const details = { runId, approvalId: id, taskId: task, ending, state, decideTime };
  return toError("APPROVAL_DECIDED", by === "" ? details : { ...details, decidedBy: by });
}

const ENDING = {
  PENDING: "opened",
  APPROVED: "was approved",
  REJECTED: "was rejected",
  EXPIRED: "expired",
  CANCELED: "was canceled",
} as const satisfies Record<Approval["state"], string>;
