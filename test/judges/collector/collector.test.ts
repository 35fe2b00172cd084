/**
 * What a collector gets from the service over each protocol of OTLP: the small receiver of the other tests, and with
 * `sh test/judges/collector/judge.sh` a real collector.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { attemptSpanIdOf, callSpanIdOf, runSpanIdOf, traceIdOf } from "../../../src/base/traces/run-trace.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import type { ReceivedSpan } from "../../support/traces/otlp-messages.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";
import { openRealCollector } from "./real-collector.ts";

const FLOWS = [
  `
id: child
version: "1"
workflow:
  tasks:
    - {id: note, type: transform, parameters: {output: 1}}
`,
  `
id: traced
version: "1"
variables: [{name: url, type: string, required: true}]
workflow:
  tasks:
    - {id: pause, type: wait, parameters: {duration: 10ms}}
    - id: pay
      type: http
      depends_on: [pause]
      parameters: {url: "\${vars.url}/pay"}
      retry_policy: {max_retries: 1, initial_delay: 10ms}
    - id: all
      type: map
      depends_on: [pay]
      parameters: {items: [1, 2], task: {type: transform, parameters: {output: "\${item}"}}}
    - {id: below, type: subflow, depends_on: [all], parameters: {flow_id: child, input: {}}}
`,
];

/** The start; the run with two attempts of `pay` and their calls, `pause`, `all` with children, `below`; the child. */
const SPANS = 1 + 10 + 2;

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

/** A service whose first call fails. */
async function openShop(): Promise<string> {
  const statuses = [503];
  const server = createServer((_, response) => {
    response.writeHead(statuses.shift() ?? 200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Runs both flows, and returns the ids of the run. */
async function runTraced(endpoint: string, protocol: string) {
  const url = await openShop();
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: protocol },
      ...{ OTEL_BSP_SCHEDULE_DELAY: "50", OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test" },
      ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    },
  });
  const headers = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01`, tracestate: "shop=1" };
  const [client, caller] = [{}, headers].map((given) => {
    const opened = openGrpcClient({ address: service.address, headers: given });
    onTestFinished(() => opened.close());
    return opened;
  });
  for (const value of FLOWS) {
    const { problems = [] } =
      (await client?.call(FlowService.method.registerFlow, { definition: { case: "source", value } })) ?? {};
    expect(problems).toEqual([]);
  }
  const inputValue = { case: "inputJson" as const, value: Buffer.from(JSON.stringify({ url })) };
  const start = { flowId: "traced", inputValue, wait: { seconds: 50n } };
  const { run } = (await caller?.call(RunService.method.startRun, start)) ?? {};
  expect(run?.state).toBe(RunState.COMPLETED);
  const { seconds = 0n, nanos = 0 } = run?.createTime ?? {};
  return { runId: run?.runId ?? "", createdAt: Number(seconds) * 1_000 + nanos / 1e6 };
}

const labelOf = ({ name, attributes }: ReceivedSpan): string =>
  [name, attributes["orchestrator.task.path"], attributes["orchestrator.task.attempt"]].filter(Boolean).join(" ");

/** Differs from run to run. */
const OWN = ["orchestrator.run.id", "orchestrator.run.parent_id", "service.instance.id", "server.port"];

function withoutOwn(attributes: ReceivedSpan["attributes"]) {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !OWN.includes(name)));
}

/** Spans with names instead of ids, for comparison. */
function shown(spans: readonly ReceivedSpan[]) {
  const labels = new Map(spans.map((span) => [span.spanId, labelOf(span)]));
  const nameOf = (id: string): string => labels.get(id) ?? id;
  return spans
    .map((span) => ({
      ...{ label: labelOf(span), parent: nameOf(span.parentId), kind: span.kind, error: span.error },
      ...{ traceState: span.traceState, isForward: span.startedAt > 0 && span.endedAt >= span.startedAt },
      service: withoutOwn(span.service),
      attributes: withoutOwn(span.attributes),
      events: span.events,
      links: span.links.map(({ spanId, attributes }) => ({ to: nameOf(spanId), attributes })),
    }))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}

async function readReceiver(protocol: "grpc" | "http/protobuf") {
  const receiver = await openTraceReceiver();
  await runTraced(protocol === "grpc" ? receiver.grpcUrl : receiver.httpUrl, protocol);
  await eventually(() => expect(receiver.spans.length).toBeGreaterThanOrEqual(SPANS));
  return shown(receiver.spans);
}

test("the spans of a run are the same over gRPC and over HTTP", async () => {
  const spans = await readReceiver("grpc");
  expect(spans).toHaveLength(SPANS);
  expect(spans.flatMap(({ label, links }) => links.map(({ to }) => [label, to]))).toEqual([
    ["run child", "task below below 1"],
    ["run traced", "orchestrator.v1.RunService/StartRun"],
  ]);
  expect(await readReceiver("http/protobuf")).toEqual(spans);
});

const program = process.env.ORCHESTRATOR_TEST_COLLECTOR;
if (program === undefined) console.log("skipped: a real collector (sh test/judges/collector/judge.sh)");
else
  test.each(["grpc", "http/protobuf"] as const)("a real collector gets them, too, over %s", async (protocol) => {
    const collector = await openRealCollector(program);
    const traced = await runTraced(protocol === "grpc" ? collector.grpcUrl : collector.httpUrl, protocol);
    const spans = await eventually(() => {
      const written = collector.readSpans();
      expect(written.length).toBeGreaterThanOrEqual(SPANS);
      return written;
    });
    expect(shown(spans)).toEqual(await readReceiver(protocol));
    // Ids as bytes are what the service made them from.
    const pay = attemptSpanIdOf(traced, { path: "pay", generation: 0, attempt: 2 });
    const traceId = traceIdOf(traced);
    expect(spans.find(({ name }) => name === "run traced")).toMatchObject({ traceId, spanId: runSpanIdOf(traced) });
    expect(spans.find(({ spanId }) => spanId === callSpanIdOf(pay, 1))).toMatchObject({ traceId, parentId: pay });
    const served = spans.find(({ parentId }) => parentId === CALLER.spanId);
    expect(served).toMatchObject({ traceId: CALLER.traceId, attributes: { "orchestrator.run.id": traced.runId } });
  });
