/** Approvals as the contract shows them. */
import type { JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Json, JsonObject } from "../../base/json.ts";
import type { ApprovalView } from "../../engine/port.ts";
import type { Approval } from "../../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalSchema } from "../../gen/orchestrator/v1/approval_pb.ts";
import { APPROVAL_STATE } from "./enums.ts";
import type { PayloadRoom } from "./payload.ts";
import { toObjectPayload } from "./payload.ts";
import type { ReadMask } from "./read-mask.ts";
import { assigneesOf } from "./task.ts";
import { toTimestamp } from "./time.ts";

/** An approval. Its message is the title, then the description, of the task's parameters. */
export function toApproval(view: ApprovalView, mask: ReadMask, room: PayloadRoom): Approval {
  const { parameters } = view;
  const approval = create(ApprovalSchema, {
    runId: view.runId,
    taskId: view.taskPath,
    flowId: view.flowId,
    tenantId: view.tenantId,
    state: APPROVAL_STATE[view.state],
    message: [parameters.title, parameters.description]
      .filter((text) => typeof text === "string" && text !== "")
      .join("\n"),
    assignees: assigneesOf(parameters),
    createTime: toTimestamp(view.createdAt),
    decidedBy: view.decidedBy,
    comment: view.comment,
  });
  if (isObject(parameters.form)) approval.form = parameters.form as ProtoJsonObject;
  if (view.dueAt !== null) approval.expireTime = toTimestamp(view.dueAt);
  if (view.decidedAt !== null) approval.decideTime = toTimestamp(view.decidedAt);
  const form = mask.formOf("data");
  if (form !== "none" && isObject(view.data)) {
    const data = toObjectPayload(view.data, form, `${view.runId}/tasks/${view.taskPath}/data`, room);
    if (data.case === "message") approval.dataValue = { case: "data", value: data.value as ProtoJsonObject };
    else if (data.case === "json") approval.dataValue = { case: "dataJson", value: data.value };
    else approval.dataValue = { case: "dataRef", value: data.value };
  }
  mask.prune(approval);
  return approval;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
