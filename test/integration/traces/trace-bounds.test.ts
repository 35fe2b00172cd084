/** What bounds the traces of the real service: spans of a run, and runs a second that are exported at their end. */
import { expect, test } from "vitest";
import { runSpanIdOf, traceIdOf } from "../../../src/base/traces/run-trace.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

const MAX_RUN_SPANS = 2_000;
const MOST_PER_SECOND = 50;

async function openUnsampled() {
  const collector = await openTraceReceiver();
  const bed = await openWorkerBed({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_TRACES_SAMPLER: "always_off",
    OTEL_BSP_SCHEDULE_DELAY: "50",
    OTEL_BSP_MAX_QUEUE_SIZE: "10000",
  });
  return { collector, bed };
}

async function countOf(bed: WorkerBed, name: string, result: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  const [, value] =
    new RegExp(`^orchestrator_trace_${name}_total\\{result="${result}"\\} (\\d+)`, "m").exec(text) ?? [];
  return Number(value);
}

test("of a run with more than 2,000 spans the others are one span, which says how many of them failed", async () => {
  const { collector, bed } = await openUnsampled();
  // The failed task is the last one, so that it is among those that are left out.
  const tasks = [
    `{id: all, type: map, parameters: {items: "\${vars.items}", task: {type: transform, parameters: {output: 1}}}}`,
    `{id: broken, type: transform, depends_on: [all], parameters: {output: "\${1 / vars.none}"}}`,
  ];
  const variables = "variables: [{name: items, type: array}, {name: none, type: integer}]\n";
  await bed.register("wide", `  tasks: [${tasks.join(", ")}]`, variables);
  const items = Array.from({ length: MAX_RUN_SPANS + 10 }, (_, index) => index);
  const runId = await bed.start("wide", { items, none: 0 });
  await bed.reaches(runId, RunState.FAILED);
  const { run } = await bed.client.call(RunService.method.getRun, { runId });
  const { seconds = 0n, nanos = 0 } = run?.createTime ?? {};
  const traced = { runId, createdAt: Number(seconds) * 1_000 + nanos / 1e6 };
  const spans = await collector.trace(traceIdOf(traced), MAX_RUN_SPANS + 2);
  expect(spans).toHaveLength(MAX_RUN_SPANS + 2);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(MAX_RUN_SPANS + 2);
  const [root, others] = ["run wide", "more tasks"].map((name) => spans.find((span) => span.name === name));
  expect(root).toMatchObject({ spanId: runSpanIdOf(traced), parentId: "", error: true });
  // Ten children, their group, and the task after it.
  expect(others).toMatchObject({
    parentId: runSpanIdOf(traced),
    attributes: { "orchestrator.run.omitted": 12, "orchestrator.run.omitted_failed": 1 },
  });
  expect(await countOf(bed, "rebuilds", "rebuilt")).toBe(1);
});

test("of many runs that fail at once at most 50 a second are exported, and the others are counted", async () => {
  const { collector, bed } = await openUnsampled();
  const tasks = `[{id: broken, type: transform, parameters: {output: "\${1 / vars.none}"}}]`;
  await bed.register("fails", `  tasks: ${tasks}`, "variables: [{name: none, type: integer}]\n");
  const inputValue = { case: "inputJson" as const, value: Buffer.from('{"none": 0}') };
  const requests = Array.from({ length: 500 }, () => ({ flowId: "fails", inputValue }));
  const begunAt = performance.now();
  const { results } = await bed.client.call(RunService.method.batchStartRuns, { requests, wait: { seconds: 50n } });
  // Whole seconds that the failures can have fallen into.
  const most = MOST_PER_SECOND * (Math.floor((performance.now() - begunAt) / 1_000) + 2);
  expect(results).toHaveLength(requests.length);
  const [rebuilt, skipped] = await eventually(async () => {
    const counted = [await countOf(bed, "rebuilds", "rebuilt"), await countOf(bed, "rebuilds", "skipped")] as const;
    expect(counted[0] + counted[1]).toBe(requests.length);
    return counted;
  });
  expect(rebuilt).toBeGreaterThanOrEqual(MOST_PER_SECOND);
  expect(rebuilt).toBeLessThanOrEqual(most);
  expect(skipped).toBeGreaterThan(0);
  // Each of them is whole, and of the others there is nothing.
  await eventually(() => expect(collector.spans).toHaveLength(2 * rebuilt));
  expect(collector.spans.filter(({ name }) => name === "run fails")).toHaveLength(rebuilt);
  expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(rebuilt);
});
