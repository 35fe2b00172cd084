/**
 * Keys of task tokens are changed under work that is handed out: from the key of the database to a configured one, from
 * that to another one, and away from it.
 */
import { randomBytes } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { type HeldTasks, holdTasks } from "../support/held-tasks.ts";
import { runCommand } from "../support/run-command.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: keyed
name: Keyed
version: "1"
workflow:
  tasks:
    - {id: only, type: worker, parameters: {handler: hold}}
`;

const folder = createFileFolder();
const key = (id: number): string => `${id}:${randomBytes(32).toString("base64")}`;

test("tasks are reported while their key is kept, whichever key seals", { timeout: 120_000 }, async () => {
  const port = await findFreePort();
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  const [first, second] = [key(2), key(3)];
  const restart = async (keys: string, previous?: { stop(): Promise<unknown> }) => {
    await previous?.stop();
    return startServeForTest({ folder, port, env: keys === "" ? {} : { ORCHESTRATOR_TOKEN_KEYS: keys } });
  };
  const handOut = async (): Promise<{ readonly runId: string; readonly tasks: HeldTasks; readonly token: string }> => {
    const { run } = await client.call(RunService.method.startRun, { flowId: "keyed" });
    const tasks = await holdTasks(client, ["hold"]);
    const { taskToken } = await tasks.next();
    expect(taskToken.length).toBeLessThanOrEqual(128);
    await tasks.report(taskToken, "acknowledged");
    tasks.close();
    return { runId: run?.runId ?? "", tasks, token: taskToken };
  };
  const stateOf = async (runId: string) => (await client.call(RunService.method.getRun, { runId })).run?.state;

  let service = await restart("");
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const ofDatabase = await handOut();

  service = await restart(first, service);
  expect((await ofDatabase.tasks.report(ofDatabase.token, "succeeded")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  const ofFirst = await handOut();
  const lost = await handOut();

  service = await restart(`${second},${first}`, service);
  expect((await ofFirst.tasks.report(ofFirst.token, "succeeded")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  const ofSecond = await handOut();

  service = await restart(second, service);
  expect((await lost.tasks.report(lost.token, "succeeded")).outcome).toBe(TaskReportOutcome.UNKNOWN);
  expect((await ofSecond.tasks.report(ofSecond.token, "succeeded")).outcome).toBe(TaskReportOutcome.ACCEPTED);
  for (const { runId } of [ofDatabase, ofFirst, ofSecond])
    await eventually(async () => expect(await stateOf(runId)).toBe(RunState.COMPLETED));
  expect(await stateOf(lost.runId)).toBe(RunState.RUNNING);
});

test("keys that cannot be used refuse the start with one sentence", { timeout: 60_000 }, async () => {
  const ended = await runCommand(["serve"], folder, { ORCHESTRATOR_TOKEN_KEYS: `${key(2)},${key(2)}` });
  expect(ended.code).toBe(2);
  expect(ended.err).toMatch(/ORCHESTRATOR_TOKEN_KEYS\s+key 2 cannot be used: its id is taken/);
});
