/**
 * ApprovalService: the questions of runs to people. Lists read rows of the store, which follow the state of the run; a
 * single approval is read from its run.
 */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import { refuseField } from "../../base/field-error.ts";
import type { Approval, RunState } from "../../engine/machine/state.ts";
import type { ApprovalIndex, ApprovalPosition, Approvals, ApprovalView } from "../../engine/ports/approvals.ts";
import type { RunReader } from "../../engine/ports/run-reader.ts";
import { ApprovalDecision, ApprovalSchema } from "../../gen/orchestrator/v1/approval_pb.ts";
import {
  ApprovalService,
  DecideApprovalResponseSchema,
  GetApprovalResponseSchema,
  ListApprovalsResponseSchema,
} from "../../gen/orchestrator/v1/approval_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { toRequestKey } from "../calls/request-key.ts";
import { defineService } from "../calls/services.ts";
import type { Condition, FieldTable, ReadField } from "../lists/condition.ts";
import { meetsCondition } from "../lists/condition.ts";
import { parseFilter } from "../lists/filter.ts";
import { orderOf, pageSizeOf, scanPage } from "../lists/paging.ts";
import { type Tokens, toPlace } from "../lists/tokens.ts";
import { toApproval } from "../mapping/approval.ts";
import { APPROVAL_STATE } from "../mapping/enums.ts";
import type { PayloadLimits } from "../mapping/payload.ts";
import { createPayloadRoom, fromPayload } from "../mapping/payload.ts";
import { parseReadMask } from "../mapping/read-mask.ts";
import { assigneesOf } from "../mapping/task.ts";
import { readReferences } from "./stored-payloads.ts";

const FIELDS: FieldTable = {
  run_id: { kind: "text" },
  approval_id: { kind: "text" },
  task_id: { kind: "text" },
  flow_id: { kind: "text" },
  state: { kind: "state", values: Object.keys(APPROVAL_STATE), prefix: "APPROVAL_STATE_" },
  assignees: { kind: "texts" },
  create_time: { kind: "time" },
};

const PAYLOADS = ["data", "data_json", "data_ref"];

interface Needs {
  readonly approvals: Approvals;
  readonly approvalIndex: ApprovalIndex;
  readonly runReader: Pick<RunReader, "getRun">;
  readonly tokens: Tokens;
  readonly limits: PayloadLimits;
}

function createHandlers(needs: Needs): ServiceHandlers<typeof ApprovalService> {
  const { approvals, approvalIndex, runReader, tokens, limits } = needs;
  return {
    async listApprovals(request, { caller, signal }) {
      const condition = parseFilter(request.filter, FIELDS);
      const order = orderOf(request.orderBy, "oldest");
      const query = ["ListApprovals", request.filter, order];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const openOnly = condition !== null && isOpenOnly(condition);
      const source = {
        read: (after: ApprovalPosition | null, limit: number) =>
          approvalIndex.listApprovals(caller, openOnly, after, limit, signal, order),
        placeOf: ({ runId, approval }: ApprovalView): ApprovalPosition => ({
          createdAt: approval.createdAt,
          runId,
          approvalId: approval.id,
        }),
      };
      const start =
        place === null ? null : { createdAt: Number(place[0]), runId: String(place[1]), approvalId: Number(place[2]) };
      const page = await scanPage(
        source,
        start,
        pageSizeOf(request.pageSize),
        (approval) => condition === null || meetsCondition(condition, readApproval(approval)),
      );
      const mask = parseReadMask(ApprovalSchema, undefined, PAYLOADS);
      const room = createPayloadRoom(limits);
      const nextPageToken =
        page.next === null
          ? ""
          : tokens.toPageToken(caller.tenantId, query, [
              toPlace(page.next.createdAt),
              page.next.runId,
              page.next.approvalId,
            ]);
      return create(ListApprovalsResponseSchema, {
        approvals: page.lines.map((approval) => toApproval(approval, mask, room)),
        nextPageToken,
      });
    },

    async getApproval(request, { caller }) {
      const mask = parseReadMask(ApprovalSchema, request.readMask);
      const { state } = await runReader.getRun(caller, request.runId);
      return create(GetApprovalResponseSchema, {
        approval: toApproval(viewOf(state, request.approvalId), mask, createPayloadRoom(limits)),
      });
    },

    async decideApproval(call, { caller }) {
      const { runId, approvalId, comment, requestId } = call;
      const approved = call.decision === ApprovalDecision.APPROVED;
      const stored = await readReferences(runReader, caller, [call.dataValue]);
      const data = fromPayload(call.dataValue, "data", null, limits, stored);
      if (data !== null && (typeof data !== "object" || Array.isArray(data)))
        refuseField("data", "must be a JSON object");
      const request = toRequestKey("DecideApproval", requestId, { approvalId, approved, comment, data });
      const decision = { approved, comment, data, request };
      const { state } = await approvals.decideApproval(caller, runId, toNumber(runId, approvalId), decision);
      const view = viewOf(state, approvalId);
      return create(DecideApprovalResponseSchema, {
        approval: toApproval(view, parseReadMask(ApprovalSchema, undefined), createPayloadRoom(limits)),
      });
    },
  };
}

function viewOf(state: RunState, approvalId: string): ApprovalView {
  const { runId, flowId, tenantId } = state;
  return { runId, flowId, tenantId, approval: findApproval(state, approvalId) };
}

function findApproval({ runId, approvals }: RunState, approvalId: string): Approval {
  return approvals.get(toNumber(runId, approvalId)) ?? fail("APPROVAL_NOT_FOUND", { runId, approvalId });
}

/** The number in the id of an approval. Any other text is not the id of an approval. */
function toNumber(runId: string, approvalId: string): number {
  return /^[1-9]\d{0,9}$/.test(approvalId) ? Number(approvalId) : fail("APPROVAL_NOT_FOUND", { runId, approvalId });
}

function isOpenOnly(condition: Condition): boolean {
  if (condition.op === "and") return condition.args.some(isOpenOnly);
  return condition.op === "==" && condition.field.name === "state" && condition.value === "PENDING";
}

function readApproval({ runId, flowId, approval }: ApprovalView): ReadField {
  return ({ name }) => {
    switch (name) {
      case "run_id":
        return runId;
      case "approval_id":
        return String(approval.id);
      case "task_id":
        return approval.task;
      case "flow_id":
        return flowId;
      case "state":
        return approval.state;
      case "assignees":
        return assigneesOf(approval.parameters);
      default:
        return approval.createdAt;
    }
  };
}

/** Approvals: list, read, decide. */
export const approvalService = defineService(ApprovalService, createHandlers);
