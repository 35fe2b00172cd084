/** Calls about which a policy asks: they wait as approvals, through kills and changes, and are made once. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ApiClient } from "../../../src/api/client/client.ts";
import { type Approval, ApprovalDecision, ApprovalState } from "../../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { RunFindingKind } from "../../../src/gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { serveTool, type ToolServer } from "../../support/tool-server.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

const CARD = "4111 1111 1111 1111";

const ASK = "{assignees: [risk], timeout: 1h}";

/** A service whose policy asks about cards in the flow `charge`, which calls a tool. */
async function openBed(
  ask = ASK,
  budget = "",
): Promise<{ bed: WorkerBed; tool: ToolServer; setPolicy(ask: string): void }> {
  const tool = await serveTool(null);
  const policy = join(createTemporaryFolder(), "gate.yaml");
  const setPolicy = (said: string): void =>
    writeFileSync(policy, `version: 1\ncalls: {flows: {charge: {rules: {pii.card: ask}, ask: ${said}}}}\n`);
  setPolicy(ask);
  const bed = await openWorkerBed({ ORCHESTRATOR_GATE_POLICY: policy, ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" });
  const workflow = `${budget}  tasks:
    - id: pay
      type: http
      parameters: {method: POST, url: "http://${tool.address}/pay", body: {note: "\${note}"}}
      retry_policy: {max_retries: 3, initial_delay: 100ms}
`;
  await bed.register("charge", workflow, "variables: [{name: note, type: string}]\n");
  return { bed, tool, setPolicy };
}

/** The question of a run that nobody has answered. */
function asksOf(client: ApiClient, runId: string, known: readonly string[] = []): Promise<Approval> {
  return eventually(
    async () => {
      const filter = `run_id == "${runId}" && state == "PENDING"`;
      const { approvals } = await client.call(ApprovalService.method.listApprovals, { filter });
      const [asked] = approvals.filter(({ approvalId }) => !known.includes(approvalId));
      return asked ?? expect.unreachable("nobody asks");
    },
    { timeoutMs: 20_000 },
  );
}

async function decide(client: ApiClient, { runId, approvalId }: Approval, decision: ApprovalDecision, comment = "") {
  await client.call(ApprovalService.method.decideApproval, { runId, approvalId, decision, comment });
}

test("a call waits for a person, through a kill, and is made once when it is approved", async () => {
  const { bed, tool } = await openBed();
  const runId = await bed.start("charge", { note: `card ${CARD}` });
  const asked = await asksOf(bed.client, runId);
  expect(asked).toMatchObject({ taskId: "pay", assignees: ["risk"], state: ApprovalState.PENDING });
  const question = `The gate found pii.card in body.note: may task pay of flow charge call http://${tool.address}?`;
  expect(asked.message).toBe(question);
  await bed.reaches(runId, RunState.WAITING);
  const { findings } = await bed.client.call(RunService.method.diagnoseRun, { runId });
  const message = `it waits for a decision of risk: ${question}`;
  expect(findings).toMatchObject([{ taskId: "pay", kind: RunFindingKind.APPROVAL, message }]);
  await bed.restart("SIGKILL");
  expect(await asksOf(bed.client, runId)).toMatchObject({ approvalId: asked.approvalId });
  expect(tool.count()).toBe(0);
  await decide(bed.client, asked, ApprovalDecision.APPROVED);
  const call = await tool.next();
  expect(call.body).toEqual({ note: `card ${CARD}` });
  // The approval holds for the retry, also at the next owner.
  call.answer(503);
  const retried = await tool.next();
  await bed.restart("SIGKILL");
  const again = await tool.next();
  expect([retried.headers["idempotency-key"], again.body]).toEqual([again.headers["idempotency-key"], call.body]);
  again.answer(200, "{}");
  await bed.reaches(runId, RunState.COMPLETED);
  const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId });
  expect(tasks).toMatchObject([{ attempt: 2, state: TaskState.COMPLETED }]);
  const { approvals } = await bed.client.call(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}"` });
  expect(approvals).toMatchObject([{ state: ApprovalState.APPROVED }]);
  expect(bed.service().output()).not.toContain("4111");
}, 180_000);

test("what is rejected is never called", async () => {
  const { bed, tool } = await openBed();
  const runId = await bed.start("charge", { note: CARD });
  await decide(bed.client, await asksOf(bed.client, runId), ApprovalDecision.REJECTED, "no cards");
  const run = await bed.reaches(runId, RunState.FAILED);
  expect(run.error).toMatchObject({
    type: "GATE_DENIED",
    message: expect.stringMatching(/^the gate asked.*: no cards$/),
  });
  expect(tool.count()).toBe(0);
});

test("what nobody decides in time is denied", async () => {
  const { bed, tool } = await openBed("{timeout: 300ms}");
  const runId = await bed.start("charge", { note: CARD });
  const run = await bed.reaches(runId, RunState.FAILED);
  expect(run.error).toMatchObject({ type: "GATE_DENIED", message: "the gate asked, and nobody decided in time" });
  expect(tool.count()).toBe(0);
});

test("a policy that has changed since the approval asks again, before the next attempt", async () => {
  const { bed, tool, setPolicy } = await openBed();
  const runId = await bed.start("charge", { note: CARD });
  const first = await asksOf(bed.client, runId);
  await decide(bed.client, first, ApprovalDecision.APPROVED);
  await tool.next();
  setPolicy("{assignees: [board]}");
  await bed.restart("SIGKILL");
  const second = await asksOf(bed.client, runId, [first.approvalId]);
  expect(second.assignees).toEqual(["board"]);
  expect(tool.count()).toBe(1);
  await decide(bed.client, second, ApprovalDecision.APPROVED);
  (await tool.next()).answer(200, "{}");
  await bed.reaches(runId, RunState.COMPLETED);
}, 180_000);

test("a question uses up no step of a budget", async () => {
  const { bed, tool } = await openBed(ASK, "  budget: {max_steps: 1}\n");
  const runId = await bed.start("charge", { note: CARD });
  await decide(bed.client, await asksOf(bed.client, runId), ApprovalDecision.APPROVED);
  (await tool.next()).answer(200, "{}");
  await bed.reaches(runId, RunState.COMPLETED);
});
