/** Approvals that runs ask for. */
import type { Json } from "../../base/json/json.ts";
import type { RequestKey } from "../machine/events.ts";
import type { Approval } from "../machine/state.ts";
import type { Caller } from "./caller.ts";
import type { ListOrder, RunPosition } from "./run-index.ts";
import type { RunView } from "./run-reader.ts";

/** An approval as a run stores it. */
export type { Approval };

/** An approval with the run that asked for it. */
export interface ApprovalView {
  readonly runId: string;
  readonly flowId: string;
  readonly tenantId: string;
  readonly approval: Approval;
}

/** Decisions. Each call resolves only after its decision is durable. */
export interface Approvals {
  /**
   * Decides an approval. Repeating a decision with the same content returns the same answer. Errors:
   * APPROVAL_NOT_FOUND; APPROVAL_DECIDED when it was decided otherwise, has expired, or was canceled; INVALID_REQUEST
   * when the data does not match the form.
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

/** Where a list of approvals continues. A run may ask for several at the same moment. */
export interface ApprovalPosition extends RunPosition {
  readonly approvalId: number;
}

/**
 * Lists over the approvals of a tenant. When `signal` aborts, the query is canceled, in the database too, and the list
 * throws the signal's reason.
 */
export interface ApprovalIndex {
  /** Oldest first by default. */
  listApprovals(
    caller: Caller,
    openOnly: boolean,
    after: ApprovalPosition | null,
    limit: number,
    signal?: AbortSignal,
    order?: ListOrder,
  ): Promise<readonly ApprovalView[]>;
}
