/** Approvals that runs ask for. */
import type { Json } from "../../base/json/json.ts";
import type { RequestKey } from "../machine/events.ts";
import type { Approval } from "../machine/state.ts";
import type { Caller } from "./caller.ts";
import type { ListOrder, RunPosition } from "./run-index.ts";
import type { RunView } from "./run-reader.ts";

/** As a run keeps it. */
export type { Approval };

/** An approval with the run that asked for it. */
export interface ApprovalView {
  readonly runId: string;
  readonly flowId: string;
  readonly tenantId: string;
  readonly approval: Approval;
}

/** Decisions. Each resolves only after it is durable. */
export interface Approvals {
  /**
   * Decides an approval. A decision that was made before with the same content is answered like the first time. Errors: APPROVAL_NOT_FOUND;
   * APPROVAL_DECIDED when it was decided otherwise, has expired or was canceled; INVALID_REQUEST when the data does not meet the form.
   */
  decideApproval(
    caller: Caller,
    runId: string,
    approvalId: number,
    decision: {
      readonly approved: boolean;
      readonly comment: string;
      readonly data: Json;
      readonly request?: RequestKey | undefined;
    },
  ): Promise<RunView>;
}

/** Where a list of approvals goes on. A run may ask for several at the same moment. */
export interface ApprovalPosition extends RunPosition {
  readonly approvalId: number;
}

/** Lists over the approvals of a tenant. A list whose `signal` aborts is given up, in the database too, and throws the signal's reason. */
export interface ApprovalIndex {
  /** The oldest first by default. */
  listApprovals(
    caller: Caller,
    openOnly: boolean,
    after: ApprovalPosition | null,
    limit: number,
    signal?: AbortSignal,
    order?: ListOrder,
  ): Promise<readonly ApprovalView[]>;
}
