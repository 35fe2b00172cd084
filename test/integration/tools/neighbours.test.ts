/** Two flows call the same host, one of them by a path that always fails: the other must not notice. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { type FakeTool, startFakeTool } from "./fake-tool.ts";

const { url } = await createTestDatabase();
let tool: FakeTool;

beforeAll(async () => {
  tool = await startFakeTool();
});
afterAll(() => tool.close());

const flowThatCalls = (id: string, path: string): string => `
id: ${id}
version: "1"
workflow:
  tasks:
    - {id: call, type: http, parameters: {url: "${tool.origin}${path}"}, retry_policy: {max_retries: 2, initial_delay: 0}}
`;

// Cause: a 429 paused all calls to the host, was asked again forever as attempt 1, and the breaker was kept for the
// host too.
test.each([
  ["/status?code=429", "TOO_MANY_REQUESTS"],
  ["/status?code=500", "INTERNAL_SERVER_ERROR"],
])("runs that call %s use up their attempts, and a neighbour on the same host completes", async (path, type) => {
  const env = { DATABASE_URL: url, ORCHESTRATOR_HTTP_ALLOW: `127.0.0.1:${tool.port}` };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  const start = async (flowId: string) => {
    const { run } = await client.call(RunService.method.startRun, { flowId, requestId: crypto.randomUUID() });
    return run?.runId ?? "";
  };
  const read = async (runId: string) => (await client.call(RunService.method.getRun, { runId })).run;
  for (const [id, at] of [
    ["broken", path],
    ["healthy", "/echo"],
  ] as const) {
    await client.call(FlowService.method.registerFlow, {
      definition: { case: "source", value: flowThatCalls(`${id}${type.length}`, at) },
    });
  }
  const broken = await start(`broken${type.length}`);
  await eventually(async () => expect((await read(broken))?.state).toBe(RunState.FAILED));
  expect((await read(broken))?.error).toMatchObject({ type });

  for (let made = 0; made < 10; made += 1) await start(`broken${type.length}`);
  const runs = await Promise.all(Array.from({ length: 5 }, () => start(`healthy${type.length}`)));
  await eventually(async () => {
    for (const run of runs) expect((await read(run))?.state).toBe(RunState.COMPLETED);
  });
});
