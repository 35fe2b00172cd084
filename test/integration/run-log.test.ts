/** The story of runs in the log and in the metrics of the real service. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: shaky
version: "3"
workflow:
  tasks:
    - id: call
      type: http
      parameters: {method: GET, url: "\${vars.url}"}
      retry_policy: {max_retries: 1, initial_delay: 10ms}
variables:
  - {name: url, type: string, required: true}
`;

async function openTool(status: number): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end("{}"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

// Cause: nothing told the log of runs, so one that retried, failed and left a dead letter left no line; the first retry
// of a flow was counted for the handler "", because its type was looked up too late; and the series of failures came
// into being with their first event, where increase() misses it.
test("a run that retried, failed and left a dead letter is in the log and in the metrics, by run, tenant and correlation", async () => {
  const url = await openTool(503);
  const env = { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ORCHESTRATOR_INSTANCE_ID: "one" };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  const readMetrics = async () =>
    (await (await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).text()).split("\n");
  expect(await readMetrics()).toEqual(
    expect.arrayContaining([
      'orchestrator_flow_runs_processed_total{status="FAILED"} 0',
      'orchestrator_tasks_completed_total{status="FAILED"} 0',
      'grpc_server_handled_total{grpc_type="unary",grpc_service="orchestrator.v1.RunService",grpc_method="StartRun",grpc_code="INTERNAL"} 0',
    ]),
  );
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const { run } = await client.call(RunService.method.startRun, {
    flowId: "shaky",
    inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify({ url })) },
    requestId: crypto.randomUUID(),
    correlationId: "order-7",
    wait: { seconds: 30n },
  });
  expect(run?.state).toBe(RunState.FAILED);
  expect(await readMetrics()).toContain('orchestrator_retry_attempts_total{task="call",handler="http"} 1');
  const story = await eventually(() => {
    const lines = service.output().trim().split("\n");
    const told = lines.map((line) => JSON.parse(line)).filter((line) => line.run_id === run?.runId);
    expect(told).toHaveLength(3);
    return told;
  });
  const about = {
    service: "orchestrator",
    instance_id: "one",
    run_id: run?.runId,
    flow_id: "shaky",
    version: "3",
    tenant_id: "default",
    correlation_id: "order-7",
  };
  expect(story).toEqual([
    { level: "info", time: expect.any(String), ...about, message: "run started" },
    {
      level: "warn",
      time: expect.any(String),
      ...about,
      task: "call",
      attempt: 2,
      duration_ms: expect.any(Number),
      error_type: "SERVICE_UNAVAILABLE",
      reason: "ATTEMPTS_EXHAUSTED",
      message: "dead letter",
    },
    {
      level: "warn",
      time: expect.any(String),
      ...about,
      task: "call",
      duration_ms: expect.any(Number),
      error_type: "SERVICE_UNAVAILABLE",
      message: "run failed",
    },
  ]);
});

// Cause: the observer behind WatchRuns was made with the engine and never given to the runtime, so that followers got
// the list and no change after it.
test("who follows all runs hears of a run that starts and ends after the list", async () => {
  const service = await startServeForTest({ folder: createTemporaryFolder() });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  const source = 'id: quick\nversion: "1"\nworkflow:\n  tasks:\n    - {id: a, type: noop}\n';
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  for await (const { frame } of client.stream(RunService.method.watchRuns, {}, { signal: stop.signal })) {
    if (frame.case === "snapshot")
      await client.call(RunService.method.startRun, { flowId: "quick", requestId: crypto.randomUUID() });
    if (frame.case === "update" && frame.value.run?.state === RunState.COMPLETED) return;
  }
  expect.unreachable("the stream ended");
});

test("the same over REST: events of the stream carry the changes", async () => {
  const service = await startServeForTest({ folder: createTemporaryFolder() });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  const source = 'id: quick\nversion: "1"\nworkflow:\n  tasks:\n    - {id: a, type: noop}\n';
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const headers = { accept: "text/event-stream" };
  const response = await fetch(`http://${service.address}/v1/runs:watch`, { headers, signal: stop.signal });
  const decoder = new TextDecoder();
  let text = "";
  let isStarted = false;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('"snapshot"') && !isStarted) {
      isStarted = true;
      await client.call(RunService.method.startRun, { flowId: "quick", requestId: crypto.randomUUID() });
    }
    if (text.includes("RUN_STATE_COMPLETED")) return;
  }
  expect.unreachable("the stream ended");
});

test("the log of a start names variables that contradict each other", async () => {
  const env = { ORCHESTRATOR_LOG_LEVEL: "info", LOG_LEVEL: "error", ORCHESTRATOR_LOG_FORMAT: "json" };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const lines = service
    .output()
    .split("\n")
    .filter((line) => line.includes("differ"));
  expect(lines.map((line) => JSON.parse(line)).map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "warn: ORCHESTRATOR_LOG_LEVEL and LOG_LEVEL differ; ORCHESTRATOR_LOG_LEVEL counts",
  ]);
});

// Cause: a library warned of a call that it deprecates, on standard error, where readers of the log expect JSON.
test("a warning of a library is a line of the log", async () => {
  const script = "process.on('SIGUSR2', () => process.emitWarning('this is old', 'DeprecationWarning'))";
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  service.child.kill("SIGUSR2");
  await eventually(() => expect(service.output()).toContain("this is old"));
  const entries = service
    .output()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(entries).toContainEqual(
    expect.objectContaining({ level: "warn", warning: "DeprecationWarning", reason: "this is old" }),
  );
});
