/** Traces of runs of the real service, as a collector gets them. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { runSpanIdOf, traceIdOf } from "../../../src/base/traces/run-trace.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import type { Run } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";

const FLOW = `
id: pair
version: "1"
workflow:
  tasks:
    - id: price
      type: http
      parameters: {url: "\${vars.url}/price"}
    - id: pay
      type: http
      depends_on: [price]
      parameters: {url: "\${vars.url}/pay"}
      retry_policy: {max_retries: 1, initial_delay: 10ms}
variables:
  - {name: url, type: string, required: true}
`;

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

/** Answers each path with the next of its statuses, and 200 after the last. */
async function openShop(statuses: Readonly<Record<string, number[]>>) {
  const calls: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = [];
  const server = createServer(({ url = "", headers }, response) => {
    calls.push({ path: url, headers });
    response.writeHead(statuses[url]?.shift() ?? 200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

async function startTraced(env: Readonly<Record<string, string>>) {
  const settings = { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", OTEL_BSP_SCHEDULE_DELAY: "50", ...env };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env: settings });
  const connect = (headers: Readonly<Record<string, string>>) => {
    const client = openGrpcClient({ address: service.address, headers });
    onTestFinished(() => client.close());
    return client;
  };
  const client = connect({});
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const start = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Run> => {
    const { run } = await connect(headers).call(RunService.method.startRun, {
      flowId: "pair",
      inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify({ url })) },
      wait: { seconds: 30n },
    });
    if (run === undefined) throw new Error("no run");
    return run;
  };
  return { service, start };
}

function tracedOf(run: Run) {
  const { seconds = 0n, nanos = 0 } = run.createTime ?? {};
  return { runId: run.runId, createdAt: Number(seconds) * 1_000 + nanos / 1e6 };
}

test("a run with two tasks, one retried, is a trace of its own that names its caller and reaches the services", async () => {
  const collector = await openTraceReceiver();
  const shop = await openShop({ "/pay": [503] });
  const { start } = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.grpcUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=s%20e",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  });
  const run = await start(shop.url, {
    traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01`,
    tracestate: "shop=1",
  });
  const traced = tracedOf(run);
  const spans = await collector.trace(traceIdOf(traced), 7);
  const [served] = await collector.trace(CALLER.traceId, 1);
  expect(served).toMatchObject({
    ...{ name: "orchestrator.v1.RunService/StartRun", kind: "server", parentId: CALLER.spanId, traceState: "shop=1" },
    attributes: {
      ...{ "rpc.system": "grpc", "rpc.service": "orchestrator.v1.RunService", "rpc.method": "StartRun" },
      ...{ "rpc.response.status_code": "OK", "orchestrator.run.id": run.runId },
    },
  });
  const root = spans.find(({ parentId }) => parentId === "");
  expect(root).toMatchObject({
    name: "run pair",
    spanId: runSpanIdOf(traced),
    traceState: "shop=1",
    error: false,
    links: [{ traceId: CALLER.traceId, spanId: served?.spanId, attributes: { "orchestrator.link.kind": "caller" } }],
    attributes: { "orchestrator.run.id": run.runId, "orchestrator.flow.id": "pair", "orchestrator.flow.version": "1" },
    service: { "service.name": "orchestrator", "deployment.environment.name": "test" },
  });
  const attempts = spans.filter(({ parentId }) => parentId === root?.spanId);
  const shown = attempts.map(({ attributes, error }) => [
    attributes["orchestrator.task.path"],
    attributes["orchestrator.task.attempt"],
    attributes["orchestrator.task.type"],
    error,
  ]);
  expect(shown).toEqual([
    ["price", 1, "http", false],
    ["pay", 1, "http", true],
    ["pay", 2, "http", false],
  ]);
  const sent = shop.calls.map(({ headers }) => headers.traceparent);
  expect(sent).toHaveLength(3);
  expect(collector.headers[0]).toMatchObject({ "x-api-key": "s e" });
  const calls = attempts.map(({ spanId }) => spans.find(({ parentId }) => parentId === spanId));
  expect(calls).toMatchObject([
    { name: "GET", kind: "client", attributes: { "http.response.status_code": 200, "server.address": "127.0.0.1" } },
    { name: "GET", kind: "client", error: true, attributes: { "http.response.status_code": 503 } },
    { name: "GET", kind: "client", attributes: { "http.request.method": "GET", "orchestrator.task.path": "pay" } },
  ]);
  expect(sent).toEqual(calls.map((call) => `00-${call?.traceId}-${call?.spanId}-01`));
  expect(shop.calls[0]?.headers.tracestate).toBe("shop=1");
});

test("a start over REST names its caller, too", async () => {
  const collector = await openTraceReceiver();
  const shop = await openShop({});
  const { service } = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl });
  const headers = { "content-type": "application/json", traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` };
  const post = (path: string, body: object): Promise<Response> =>
    fetch(`http://${service.address}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  expect((await post("/v1/runs", { flowId: "pair", input: { url: shop.url } })).status).toBe(200);
  expect((await post("/v1/runs", { flowId: "absent" })).status).toBe(404);
  const served = await collector.trace(CALLER.traceId, 2);
  expect(served.map(({ attributes }) => attributes["rpc.response.status_code"])).toEqual(["OK", "NOT_FOUND"]);
  const roots = await eventually(() => {
    const found = collector.spans.filter(({ name }) => name === "run pair");
    expect(found).toHaveLength(1);
    return found;
  });
  expect(roots[0]?.links[0]?.traceId).toBe(CALLER.traceId);
});

test("without an endpoint nothing is traced, and the context of the caller goes on to the services unchanged", async () => {
  const shop = await openShop({});
  const { start } = await startTraced({});
  const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
  await start(shop.url, { traceparent });
  await start(shop.url);
  expect(shop.calls.map(({ headers }) => headers.traceparent)).toEqual([
    traceparent,
    traceparent,
    undefined,
    undefined,
  ]);
});

test("the caller's decision against a trace holds for the run and for everybody it calls", async () => {
  const collector = await openTraceReceiver();
  const shop = await openShop({});
  const { start, service } = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl });
  const unsampled = await start(shop.url, { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` });
  const { traceId } = { traceId: traceIdOf(tracedOf(unsampled)) };
  expect(shop.calls.map(({ headers }) => String(headers.traceparent).slice(0, 36))).toEqual([
    `00-${traceId}-`,
    `00-${traceId}-`,
  ]);
  expect(shop.calls.every(({ headers }) => String(headers.traceparent).endsWith("-00"))).toBe(true);
  const sampled = await start(shop.url);
  await collector.trace(traceIdOf(tracedOf(sampled)), 5);
  await service.stop();
  expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([]);
});

test("a collector that is away costs spans, which are counted, and no run", async () => {
  const shop = await openShop({});
  const { start, service } = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    OTEL_EXPORTER_OTLP_TIMEOUT: "2000",
    OTEL_BSP_MAX_QUEUE_SIZE: "1",
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "1",
  });
  for (let runs = 0; runs < 4; runs += 1) await start(shop.url);
  await eventually(async () => {
    const text = await (await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).text();
    const counted = text.split("\n").filter((line) => line.startsWith("orchestrator_trace_spans_total"));
    expect(counted.join(" ")).toMatch(/"exported"} 0 .*"failed"} [1-9].* .*"dropped"} [1-9]/);
  });
  await eventually(() => expect(service.output().split("spans cannot be exported")).toHaveLength(2));
  expect(await service.stop()).toBe(0);
});
