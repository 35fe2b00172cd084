/** kill -9 in the middle of an operation over some thousand runs: afterwards all of them are done, each once. */
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction, OperationState } from "../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const RUNS = 3_000;
const BATCH = 100;
const KILLS = 3;

const FLOW = `
id: gate
name: Gate
version: "1"
workflow:
  tasks:
    - {id: go, type: signal, timeout: 1h}
`;

test("an operation over thousands of runs survives kill -9, and changes each run once", {
  timeout: 300_000,
}, async () => {
  const folder = createFileFolder();
  const port = await findFreePort();
  const env = { ORCHESTRATOR_LOG_FORMAT: "json" };
  let service = await startServe({ folder, port, env });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const runIds: string[] = [];
  while (runIds.length < RUNS) {
    const requests = Array.from({ length: BATCH }, () => ({ flowId: "gate" }));
    const { results } = await client.call(RunService.method.batchStartRuns, { requests });
    for (const { result } of results) if (result.case === "run") runIds.push(result.value.runId);
  }
  const request = {
    action: OperationAction.CANCEL,
    filter: 'flow_id == "gate"',
    reason: "clean up",
    requestId: "clean-up-1",
  };
  const { operation } = await client.call(OperationService.method.startOperation, request);
  const operationId = operation?.operationId ?? "";
  expect(operation).toMatchObject({ matchedCount: RUNS, filter: request.filter });
  const look = async () => (await client.call(OperationService.method.getOperation, { operationId })).operation;
  let before = 0;
  for (let kills = 0; kills < KILLS; kills += 1) {
    // In the middle: some pages are taken, others are not.
    await eventually(async () => expect((await look())?.doneCount).toBeGreaterThan(before), { timeoutMs: 60_000 });
    const killed = await look();
    expect(killed?.state).toBe(OperationState.RUNNING);
    before = killed?.doneCount ?? 0;
    await service.stop("SIGKILL");
    service = await startServe({ folder, port, env });
  }
  // The same start again finds the operation of the first one.
  const again = await client.call(OperationService.method.startOperation, request);
  expect(again.operation?.operationId).toBe(operationId);
  await eventually(async () => expect((await look())?.endTime).toBeDefined(), { timeoutMs: 120_000 });
  expect(await look()).toMatchObject({
    state: OperationState.COMPLETED,
    matchedCount: RUNS,
    doneCount: RUNS,
    failedCount: 0,
    failures: [],
  });
  const { stateCounts } = await client.call(RunService.method.countRuns, { filter: request.filter });
  expect(stateCounts.map(({ state, count }) => [state, Number(count)])).toEqual([[RunState.CANCELED, RUNS]]);
  for (const runId of runIds.filter((_, index) => index % 10 === 0)) {
    const { events } = await client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
    expect(events.filter(({ kind }) => kind === RunEventKind.RUN_ENDING)).toHaveLength(1);
  }
});
