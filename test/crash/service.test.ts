/** One service, killed in the middle of one run that does everything; and two services on one folder. */
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { ApprovalDecision } from "../../src/gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { findViolations } from "./campaign/checks.ts";
import { readDump } from "./campaign/dump.ts";
import { createFlows } from "./campaign/flows.ts";
import { databaseOf, type ServiceProcess, startService } from "./campaign/service-process.ts";
import { openSink } from "./campaign/sink.ts";

const services: ServiceProcess[] = [];

afterEach(async () => {
  for (const service of services.splice(0)) await service.kill("before");
});

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function openPlace() {
  const folder = createTemporaryFolder();
  const port = await findFreePort();
  const start = (env: Record<string, string> = {}, at = port): ServiceProcess => {
    // The flow that does everything emits, which only a service under test accepts as long as nothing relays.
    const options = {
      dataDir: join(folder, "data"),
      port: at,
      logFile: join(folder, "service.log"),
      env: { ORCHESTRATOR_TESTING: "true", ...env },
    };
    const service = startService(options);
    services.push(service);
    return service;
  };
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  return { client, start, target: databaseOf(join(folder, "data")), dataDir: join(folder, "data") };
}

async function openWorld(client: ApiClient) {
  const sink = await openSink();
  onTestFinished(() => sink.close());
  const plans = createFlows(sink.url);
  const register = async (): Promise<void> => {
    for (const { flow } of Object.values(plans))
      await client.call(FlowService.method.registerFlow, { definition: { case: "documentJson", value: text(flow) } });
  };
  return { sink, plans, register };
}

test("a run that does everything is killed at every stage and runs to its end", async () => {
  const { client, start, target } = await openPlace();
  const { sink, plans, register } = await openWorld(client);
  let service = start();
  await service.serving;
  await register();
  const started = await client.call(RunService.method.startRun, {
    flowId: "everything",
    inputValue: { case: "inputJson", value: text({ n: 150 }) },
    requestId: "everything",
  });
  const runId = started.run?.runId ?? "";
  const killed = async (withDatabase?: "before"): Promise<void> => {
    await service.kill(withDatabase);
    service = start();
    await service.serving;
  };
  const stateOf = async (task: string): Promise<string> => {
    const dump = await readDump(target);
    const records =
      dump.runs.find((run) => run.run_id === runId)?.transitions.flatMap((transition) => transition.records) ?? [];
    return records.findLast((record) => "task" in record && record.task === task)?.type ?? "none";
  };
  const reaches = (task: string, ...types: string[]): Promise<void> =>
    eventually(async () => expect(types).toContain(await stateOf(task)));
  // Each in the middle of something else: a retry, parallel children, a timer, a child run, a signal, an approval.
  await reaches("a", "task.retrying", "task.dispatched", "task.completed");
  await killed();
  await reaches("both.1", "task.dispatched", "task.retrying", "task.completed");
  await killed("before");
  await reaches("p", "task.waiting", "task.completed");
  await killed();
  await reaches("p", "task.completed");
  await killed();
  await client.call(RunService.method.signalRun, {
    runId,
    signalName: "go",
    dataValue: { case: "dataJson", value: text(150) },
    requestId: "s",
  });
  await killed("before");
  await reaches("ok", "task.waiting");
  await killed();
  const decision = ApprovalDecision.APPROVED;
  const { approvals } = await client.call(ApprovalService.method.listApprovals, { filter: `run_id == "${runId}"` });
  const { approvalId = "" } = approvals[0] ?? {};
  await client.call(ApprovalService.method.decideApproval, { runId, approvalId, decision, requestId: "d" });
  await killed();
  const ended = await eventually(
    async () => {
      const { run } = await client.call(RunService.method.waitRun, { runId, wait: { seconds: 5n, nanos: 0 } });
      expect(run?.endTime).toBeDefined();
      return run;
    },
    { timeoutMs: 30_000 },
  );
  expect(ended?.runId).toBe(runId);
  const dump = await readDump(target);
  const evidence = { history: [], dump, calls: sink.calls, plans };
  expect(findViolations(evidence)).toEqual([]);
  expect(dump.runs.map((run) => run.state)).toEqual(["COMPLETED", "COMPLETED"]);
  const recovered = dump.runs[0]?.transitions
    .flatMap((transition) => transition.records)
    .filter((one) => one.type === "run.recovered");
  expect(recovered?.length).toBeGreaterThanOrEqual(1);
});

test("a second service on the folder is refused with the pid of the first and harms nothing", async () => {
  const { client, start, target, dataDir } = await openPlace();
  const { register } = await openWorld(client);
  const first = start();
  await first.serving;
  await register();
  const begin = (requestId: string) =>
    client.call(RunService.method.startRun, {
      flowId: "gate",
      inputValue: { case: "inputJson", value: text({ n: 1 }) },
      requestId,
    });
  const { run } = await begin("one");
  for (let round = 0; round < 3; round += 1) {
    const second = start({}, await findFreePort());
    await expect(second.serving).rejects.toThrow(new RegExp(`in use by process ${first.pid}\\b`));
    expect(await second.exited).toBeGreaterThan(0);
  }
  expect(first.isOver).toBe(false);
  expect((await begin("one")).run?.runId).toBe(run?.runId);
  expect((await readDump(target)).runs).toHaveLength(1);
  // Many at once, after the death of the first: one wins, and has everything.
  await first.kill();
  const rivals = await Promise.all(
    Array.from({ length: 3 }, async () => start({ ORCHESTRATOR_DATA_DIR: dataDir }, await findFreePort())),
  );
  const served = await Promise.allSettled(rivals.map((rival) => rival.serving));
  expect(served.filter((one) => one.status === "fulfilled")).toHaveLength(1);
  expect((await readDump(target)).runs.map((one) => one.run_id)).toEqual([run?.runId]);
});

test("fail points are refused unless testing is allowed", async () => {
  const { start } = await openPlace();
  const refused = start({ ORCHESTRATOR_TESTING: "false", ORCHESTRATOR_FAIL_POINTS: "commit.after=kill" });
  await expect(refused.serving).rejects.toThrow("fail points are for tests");
  const unknown = start({ ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_FAIL_POINTS: "nowhere=kill" });
  await expect(unknown.serving).rejects.toThrow("nowhere=kill");
});
