/** A trace that comes with an entry of a Stream, and goes on with what the run writes to another. */
import { expect, inject, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand, startRedisForTest } from "../support/redis-server.ts";
import { openTraceReceiver } from "../support/traces/trace-receiver.ts";
import { openTriggeredFlow } from "../support/triggered-flow.ts";
import { startInstance } from "../support/workflow-requests.ts";

const skips = inject("redis") === 0;

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

const FLOW = `id: telling
workflow:
  tasks:
    - {id: tell, type: emit, parameters: {stream: told, payload: 1}}
`;

test.skipIf(skips)("the run that an entry starts links to its sender, and its event names the attempt", async () => {
  const redis = await startRedisForTest();
  const collector = await openTraceReceiver();
  const { url } = await createTestDatabase();
  const { address } = await startInstance(url, redis, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_BSP_SCHEDULE_DELAY: "50",
  });
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const flow = await openTriggeredFlow(address);
  await flow.put("id: asked\nflow_id: telling\nsource: {type: redis, stream: orders}\nstart: {}\n");
  const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
  runRedisCommand(redis.port, "XADD", "orders", "*", "payload", "{}", "traceparent", traceparent);
  const fields = await eventually(
    () => {
      const lines = redis.cli("XRANGE", "told", "-", "+").trim().split("\n");
      expect(lines).toContain("traceparent");
      return lines;
    },
    { timeoutMs: 30_000 },
  );
  const root = await eventually(() => {
    const found = collector.spans.find(({ name }) => name === "run telling");
    if (found === undefined) throw new Error(`no root among ${JSON.stringify(collector.spans)}`);
    return found;
  });
  expect(root.links).toMatchObject([CALLER]);
  const spans = await collector.trace(root.traceId, 2);
  const tell = spans.find(({ attributes }) => attributes["orchestrator.task.path"] === "tell");
  expect(fields[fields.indexOf("traceparent") + 1]).toBe(`00-${root.traceId}-${tell?.spanId}-01`);
});
