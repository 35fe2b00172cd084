/**
 * Two instances as processes on one database: a caller that acts on a run through the wrong one is named by the right
 * one.
 */
import { expect, onTestFinished, test } from "vitest";
import { encodeActor } from "../../src/api/calls/caller.ts";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { ApprovalDecision, ApprovalState } from "../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: ask
version: "1"
workflow:
  tasks:
    - {id: ask, type: approval, parameters: {assignees: [finance]}}
`;

const { url, database } = await createTestDatabase();

const serve = (): Promise<ServeProcess> =>
  startServeForTest({ folder: createTemporaryFolder(), env: { DATABASE_URL: url } });

function openClient({ address }: { readonly address: string }, headers: Readonly<Record<string, string>>): ApiClient {
  const client = openGrpcClient({ address, headers });
  onTestFinished(() => client.close());
  return client;
}

async function haveShared(): Promise<void> {
  const { rows } = await database.reads.query<{ owners: number }>(
    "SELECT count(DISTINCT instance_id)::int AS owners FROM orchestrator.shard_leases",
  );
  expect(rows[0]?.owners).toBe(2);
}

test("holds and decisions name the caller who came through another instance", async () => {
  const first = await serve();
  const ada = { "x-orchestrator-actor": encodeActor("Ada Łuczak") };
  const here = openClient(first, ada);
  await here.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const second = await serve();
  await eventually(haveShared, { timeoutMs: 15_000 });
  const there = openClient(second, {});

  // An instance mints ids on its own shards: the run lives at the second one.
  const { run } = await there.call(RunService.method.startRun, { flowId: "ask" });
  const runId = run?.runId ?? "";
  const { run: paused } = await here.call(RunService.method.pauseRun, { runId, reason: "to look at it" });
  expect(paused?.holds.map(({ actor }) => actor)).toEqual(["Ada Łuczak"]);
  await here.call(RunService.method.resumeRun, { runId });
  const { approvals } = await here.call(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}"` });
  const approvalId = approvals[0]?.approvalId ?? "";
  const { approval } = await here.call(ApprovalService.method.decideApproval, {
    runId,
    approvalId,
    decision: ApprovalDecision.APPROVED,
  });
  expect(approval).toMatchObject({ state: ApprovalState.APPROVED, decidedBy: "Ada Łuczak" });
  const { events } = await there.call(RunService.method.listRunEvents, { runId });
  expect(JSON.stringify(events, (_, value) => (typeof value === "bigint" ? String(value) : value))).toContain(
    "Ada Łuczak",
  );
});

// Cause: the header that an instance sends with a call could be sent by anybody, and kept a call from its owner.
test("a caller who says that another instance sent the call on is refused, by a service of one instance too", async () => {
  const client = openClient(await serve(), { "x-orchestrator-forwarded": "1" });
  await expect(client.call(RunService.method.getRun, { runId: "any" })).rejects.toMatchObject({
    code: "CALLER_UNVERIFIED",
  });
});
