/** Exemplars of the real service: those who look at a latency find the trace of a call that took that long. */
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { readOpenMetrics } from "../../support/monitoring/open-metrics.ts";
import { startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";

const SPAN = "00f067aa0ba902b7";
const traceOf = (digit: string): string => digit.repeat(32);

/** Calls over each protocol, as somebody with this `traceparent`. */
async function callEverywhere(address: string, traceparent: (way: string) => string): Promise<void> {
  const client = openGrpcClient({ address, headers: { traceparent: traceparent("a") } });
  onTestFinished(() => client.close());
  await client.call(RunService.method.listRuns, {});
  const url = `http://${address}`;
  await fetch(`${url}/v1/runs`, { headers: { traceparent: traceparent("b") } });
  await fetch(`${url}/orchestrator.v1.RunService/ListRuns`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: traceparent("c") },
    body: "{}",
  });
  await fetch(`${url}/v1/runs`);
}

/** Traces of the exemplars of a histogram. */
async function tracesOf(url: string, name: string): Promise<readonly string[]> {
  const response = await fetch(url, { headers: { accept: "application/openmetrics-text;version=1.0.0" } });
  const { exemplars } = readOpenMetrics(await response.text());
  return exemplars
    .filter((one) => one.name === `${name}_bucket`)
    .map(({ exemplar }) => exemplar.labels["trace_id"] ?? "");
}

test("sampled calls are exemplars of the latency of their method and route, and others are not", async () => {
  const collector = await openTraceReceiver();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    ORCHESTRATOR_METRICS_ON_API_PORT: "true",
  };
  const { address, metricsPort } = await startServeForTest({ folder: createTemporaryFolder(), env });
  const url = `http://127.0.0.1:${metricsPort}/metrics`;
  await callEverywhere(address, (way) => `00-${traceOf(way)}-${SPAN}-01`);
  const [a, b, c] = [traceOf("a"), traceOf("b"), traceOf("c")];
  await eventually(async () => {
    const calls = await tracesOf(url, "grpc_server_handling_seconds");
    const requests = await tracesOf(url, "http_request_duration_seconds");
    // Calls of one method that took as long share a bucket, which has the last of them.
    expect(calls).toContain(c);
    expect([a, b, c]).toEqual(expect.arrayContaining([...calls]));
    expect(requests.toSorted()).toEqual([b, c]);
  });
  const before = await tracesOf(url, "grpc_server_handling_seconds");
  await callEverywhere(address, (way) => `00-${traceOf(way).replaceAll(way, "d")}-${SPAN}-00`);
  expect(await tracesOf(url, "grpc_server_handling_seconds")).toEqual(before);
  expect(await tracesOf(`http://${address}/metrics`, "http_request_duration_seconds")).toEqual(
    await tracesOf(url, "http_request_duration_seconds"),
  );
  const text = await (await fetch(url)).text();
  expect(text).not.toContain("trace_id");
  expect(text).toContain("grpc_server_handling_seconds_bucket");
});
