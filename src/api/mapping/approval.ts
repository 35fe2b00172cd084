/** Converts approvals to messages of the contract. */
import type { JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { isJsonObject } from "../../base/json/json.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { ApprovalView } from "../../engine/ports/approvals.ts";
import type { Approval } from "../../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalSchema } from "../../gen/orchestrator/v1/approval_pb.ts";
import { APPROVAL_STATE } from "./enums.ts";
import type { PayloadRoom } from "./payload.ts";
import { toObjectPayload } from "./payload.ts";
import type { ReadMask } from "./read-mask.ts";
import { assigneesOf } from "./task.ts";
import { toTimestamp } from "./time.ts";

/** Converts an approval. Its message is the title followed by the description from the task's parameters. */
export function toApproval(view: ApprovalView, mask: ReadMask, room: PayloadRoom): Approval {
  const { approval: asked } = view;
  const { parameters } = asked;
  const approval = create(ApprovalSchema, {
    runId: view.runId,
    approvalId: String(asked.id),
    taskId: asked.task,
    flowId: view.flowId,
    tenantId: view.tenantId,
    state: APPROVAL_STATE[asked.state],
    message: [parameters.title, parameters.description]
      .filter((text) => typeof text === "string" && text !== "")
      .join("\n"),
    assignees: assigneesOf(parameters),
    decidedBy: asked.by,
    comment: asked.comment,
  });
  if (isValidTime(asked.createdAt)) approval.createTime = toTimestamp(asked.createdAt);
  if (isJsonObject(parameters.form)) approval.form = parameters.form as ProtoJsonObject;
  if (asked.dueAt !== null) approval.expireTime = toTimestamp(asked.dueAt);
  if (asked.endedAt !== null) approval.decideTime = toTimestamp(asked.endedAt);
  const form = mask.formOf("data");
  if (form !== "none" && isJsonObject(asked.data)) {
    const data = toObjectPayload(asked.data, form, `${view.runId}/approvals/${asked.id}/data`, room);
    if (data.case === "message") approval.dataValue = { case: "data", value: data.value as ProtoJsonObject };
    else if (data.case === "json") approval.dataValue = { case: "dataJson", value: data.value };
    else approval.dataValue = { case: "dataRef", value: data.value };
  }
  mask.prune(approval);
  return approval;
}
