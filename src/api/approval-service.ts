/** ApprovalService: the questions that runs put to people. What a list shows comes from the store, what a single approval shows from its run. */
import { create } from "@bufbuild/protobuf";
import { fail, isOrchestratorError } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { RunState, TaskState } from "../engine/machine/state.ts";
import type { ApprovalPosition, ApprovalView, Caller, Engine, RunIndex } from "../engine/port.ts";
import { ApprovalDecision, ApprovalSchema } from "../gen/orchestrator/v1/approval_pb.ts";
import type { ApprovalService } from "../gen/orchestrator/v1/approval_service_pb.ts";
import {
  DecideApprovalResponseSchema,
  GetApprovalResponseSchema,
  ListApprovalsResponseSchema,
} from "../gen/orchestrator/v1/approval_service_pb.ts";
import type { ServiceHandlers } from "./call.ts";
import type { Condition, FieldTable, ReadField } from "./lists/condition.ts";
import { meetsCondition } from "./lists/condition.ts";
import { parseFilter } from "./lists/filter.ts";
import { pageSizeOf, scanPage } from "./lists/paging.ts";
import type { Tokens } from "./lists/tokens.ts";
import { toApproval } from "./mapping/approval.ts";
import { APPROVAL_STATE } from "./mapping/enums.ts";
import type { PayloadLimits } from "./mapping/payload.ts";
import { createPayloadRoom, fromPayload } from "./mapping/payload.ts";
import { parseReadMask } from "./mapping/read-mask.ts";
import { assigneesOf } from "./mapping/task.ts";
import { toRequestKey } from "./request-key.ts";

const FIELDS: FieldTable = {
  run_id: { kind: "text" },
  task_id: { kind: "text" },
  flow_id: { kind: "text" },
  state: { kind: "state", values: Object.keys(APPROVAL_STATE) },
  assignees: { kind: "texts" },
  create_time: { kind: "time" },
};

/** Filter of a list whose request has none. */
const OPEN_ONLY = 'state == "PENDING"';

const PAYLOADS = ["data", "data_json", "data_ref"];

/** Handlers of the approvals. */
export function createApprovalService(
  engine: Engine,
  runIndex: RunIndex,
  tokens: Tokens,
  limits: PayloadLimits,
): ServiceHandlers<typeof ApprovalService> {
  const find = async (caller: Caller, runId: string, taskId: string): Promise<ApprovalView> => {
    const { state } = await engine.getRun(caller, runId);
    return viewOf(state, taskId) ?? fail("APPROVAL_NOT_FOUND", { runId, taskId });
  };

  return {
    async listApprovals(request, { caller, signal }) {
      const filter = request.filter.trim() === "" ? OPEN_ONLY : request.filter;
      const condition = parseFilter(filter, FIELDS) as Condition;
      const query = ["ListApprovals", filter];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const openOnly = isOpenOnly(condition);
      const source = {
        read: (after: ApprovalPosition | null, limit: number) =>
          runIndex.listApprovals(caller, openOnly, after, limit, signal),
        placeOf: (approval: ApprovalView): ApprovalPosition => ({
          createdAt: approval.createdAt,
          runId: approval.runId,
          taskPath: approval.taskPath,
        }),
      };
      const start =
        place === null ? null : { createdAt: Number(place[0]), runId: String(place[1]), taskPath: String(place[2]) };
      const page = await scanPage(source, start, pageSizeOf(request.pageSize), (approval) =>
        meetsCondition(condition, readApproval(approval)),
      );
      const mask = parseReadMask(ApprovalSchema, undefined, PAYLOADS);
      const room = createPayloadRoom(limits);
      const nextPageToken =
        page.next === null
          ? ""
          : tokens.toPageToken(caller.tenantId, query, [page.next.createdAt, page.next.runId, page.next.taskPath]);
      return create(ListApprovalsResponseSchema, {
        approvals: page.lines.map((approval) => toApproval(approval, mask, room)),
        nextPageToken,
      });
    },

    async getApproval(request, { caller }) {
      const mask = parseReadMask(ApprovalSchema, request.readMask);
      return create(GetApprovalResponseSchema, {
        approval: toApproval(await find(caller, request.runId, request.taskId), mask, createPayloadRoom(limits)),
      });
    },

    async decideApproval(call, { caller }) {
      const { runId, taskId, comment, requestId } = call;
      const approved = call.decision === ApprovalDecision.APPROVED;
      const data = fromPayload(call.dataValue, "data", null, limits);
      if (data !== null && (typeof data !== "object" || Array.isArray(data))) {
        fail(
          "INVALID_REQUEST",
          { problem: "data must be a JSON object", field: "data" },
          { violations: [{ field: "data", description: "must be a JSON object" }] },
        );
      }
      const request = toRequestKey("DecideApproval", requestId, { taskId, approved, comment, data });
      const { state } = await engine
        .decideApproval(caller, runId, taskId, { approved, comment, data, request })
        .catch(async (error: unknown) => {
          // The run may have ended by the very decision: the same decision again is answered as it is, another one is too late.
          if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return engine.getRun(caller, runId);
          throw error;
        });
      const view = viewOf(state, taskId) ?? fail("APPROVAL_NOT_FOUND", { runId, taskId });
      if (view.state !== (approved ? "APPROVED" : "REJECTED"))
        fail("APPROVAL_DECIDED", { runId, taskId, decision: view.state.toLowerCase() });
      return create(DecideApprovalResponseSchema, {
        approval: toApproval(view, parseReadMask(ApprovalSchema, undefined), createPayloadRoom(limits)),
      });
    },
  };
}

/** The approval of a task; null when the task asks nobody. */
function viewOf(state: RunState, taskPath: string): ApprovalView | null {
  const task = state.tasks.get(taskPath);
  if (task?.wait?.kind !== "approval") return null;
  const decision = (
    typeof task.output === "object" && task.output !== null && !Array.isArray(task.output) ? task.output : {}
  ) as JsonObject;
  return {
    runId: state.runId,
    taskPath,
    flowId: state.flowId,
    tenantId: state.tenantId,
    state: stateOf(task, decision),
    parameters: (task.input ?? {}) as JsonObject,
    createdAt: task.startedAt,
    dueAt: task.dueAt,
    decidedAt: task.endedAt === 0 ? null : task.endedAt,
    decidedBy: typeof decision.by === "string" ? decision.by : "",
    comment: typeof decision.comment === "string" ? decision.comment : (task.error?.message ?? ""),
    data: (decision.data ?? null) as Json,
  };
}

function stateOf(task: TaskState, decision: JsonObject): ApprovalView["state"] {
  switch (task.state) {
    case "WAITING":
      return "PENDING";
    case "COMPLETED":
    case "COMPENSATED":
      return decision.approved === true ? "APPROVED" : "REJECTED";
    case "FAILED":
    case "TIMED_OUT":
      return task.error?.type === "APPROVAL_TIMEOUT" ? "EXPIRED" : "REJECTED";
    default:
      return "CANCELED";
  }
}

function isOpenOnly(condition: Condition): boolean {
  if (condition.op === "and") return condition.args.some(isOpenOnly);
  return condition.op === "==" && condition.field.name === "state" && condition.value === "PENDING";
}

function readApproval(approval: ApprovalView): ReadField {
  return ({ name }) => {
    switch (name) {
      case "run_id":
        return approval.runId;
      case "task_id":
        return approval.taskPath;
      case "flow_id":
        return approval.flowId;
      case "state":
        return approval.state;
      case "assignees":
        return assigneesOf(approval.parameters);
      default:
        return approval.createdAt;
    }
  };
}
