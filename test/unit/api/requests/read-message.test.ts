import { expect, test } from "vitest";
import { readJson } from "../../../../src/api/requests/read-message.ts";
import { ApprovalDecision } from "../../../../src/gen/orchestrator/v1/approval_pb.ts";
import { DecideApprovalRequestSchema } from "../../../../src/gen/orchestrator/v1/approval_service_pb.ts";

const read = (decision: string) =>
  (readJson(DecideApprovalRequestSchema, { runId: "r", decision }, 1_000) as unknown as { decision: number }).decision;

// Cause: the command line and filters say APPROVED, and JSON requests took only the long name.
test("enum values are read with and without the prefix that they share", () => {
  expect(read("APPROVAL_DECISION_APPROVED")).toBe(ApprovalDecision.APPROVED);
  expect(read("REJECTED")).toBe(ApprovalDecision.REJECTED);
  expect(() => read("approved")).toThrow("expected one of APPROVAL_DECISION_APPROVED");
});
