/** What becomes of runs that are not sampled, and of the trace of a run whose owner died. */
import { expect, onTestFinished, test } from "vitest";
import { attemptSpanIdOf, runSpanIdOf, traceIdOf } from "../../../src/base/traces/run-trace.ts";
import { type Run, RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { runCommand } from "../../support/run-command.ts";
import { openTraceReceiver, type TraceReceiver } from "../../support/traces/trace-receiver.ts";
import { startWorker } from "../../support/worker.ts";
import { openWorkerBed, type WorkerBed } from "../../support/worker-service.ts";

const FLOW = `
  tasks:
    - id: pack
      type: worker
      parameters: {handler: pack}
    - id: note
      type: transform
      depends_on: [pack]
      parameters: {output: 1}
`;

async function openTraced(collector: TraceReceiver, env: Readonly<Record<string, string>>): Promise<WorkerBed> {
  const bed = await openWorkerBed({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl,
    OTEL_BSP_SCHEDULE_DELAY: "50",
    ...env,
  });
  await bed.register("packing", FLOW);
  return bed;
}

async function tracedOf({ client }: WorkerBed, runId: string) {
  const { run } = await client.call(RunService.method.getRun, { runId });
  const { seconds = 0n, nanos = 0 } = (run as Run).createTime ?? {};
  return { runId, createdAt: Number(seconds) * 1_000 + nanos / 1e6 };
}

test("a run that is not sampled is exported when it failed, and not when it ended well and in time", async () => {
  const collector = await openTraceReceiver();
  const bed = await openTraced(collector, { OTEL_TRACES_SAMPLER: "always_off" });
  const contexts: string[] = [];
  const worker = startWorker(bed.client, {
    pack: async ({ task }) => {
      contexts.push(task.traceparent);
      if (contexts.length > 1) throw "BROKEN";
      return {};
    },
  });
  onTestFinished(() => worker.kill());
  const good = await bed.start("packing");
  await bed.reaches(good, RunState.COMPLETED);
  const bad = await bed.start("packing");
  await bed.reaches(bad, RunState.FAILED);
  const traced = await tracedOf(bed, bad);
  const spans = await collector.trace(traceIdOf(traced), 2);
  const attempts = spans.filter(({ name }) => name === "task pack");
  expect(attempts.at(-1)).toMatchObject({ error: true, parentId: runSpanIdOf(traced), kind: "producer" });
  expect(attempts[0]?.events.map(({ name }) => name)).toContain("handed over");
  expect(spans.find(({ parentId }) => parentId === "")).toMatchObject({ name: "run packing", error: true });
  // What the worker got says that nobody records.
  expect(contexts[1]).toBe(`00-${traceIdOf(traced)}-${attempts[0]?.spanId}-00`);
  const traceOfGood = traceIdOf(await tracedOf(bed, good));
  expect(collector.spans.some(({ traceId }) => traceId === traceOfGood)).toBe(false);
  const text = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  expect(text).toContain('orchestrator_trace_rebuilds_total{result="rebuilt"} 1');
});

test("a run that is not sampled is exported when it took too long", async () => {
  const collector = await openTraceReceiver();
  const env = { OTEL_TRACES_SAMPLER: "always_off", ORCHESTRATOR_TRACE_SLOW_RUN: "1ms" };
  const bed = await openTraced(collector, env);
  const worker = startWorker(bed.client, { pack: async () => ({}) });
  onTestFinished(() => worker.kill());
  const runId = await bed.start("packing");
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await collector.trace(traceIdOf(await tracedOf(bed, runId)), 3)).toHaveLength(3);
});

test("after a kill the trace goes on with the same ids, and `runs trace` prints all of it", async () => {
  const collector = await openTraceReceiver();
  const bed = await openTraced(collector, {});
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  const { promise: free, resolve: release } = Promise.withResolvers<void>();
  const contexts: string[] = [];
  const worker = startWorker(bed.client, {
    pack: async ({ task, acknowledge }) => {
      contexts.push(task.traceparent);
      await acknowledge();
      hold();
      await free;
      return {};
    },
  });
  onTestFinished(() => worker.kill());
  const runId = await bed.start("packing");
  await held;
  await bed.restart("SIGKILL");
  release();
  await bed.reaches(runId, RunState.COMPLETED);
  const traced = await tracedOf(bed, runId);
  const spans = await collector.trace(traceIdOf(traced), 3);
  const attempt = spans.find(({ name }) => name === "task pack");
  expect(attempt?.spanId).toBe(attemptSpanIdOf(traced, { path: "pack", generation: 0, attempt: 1 }));
  expect(contexts[0]).toBe(`00-${traceIdOf(traced)}-${attempt?.spanId}-01`);
  const show = (...more: string[]) =>
    runCommand(["runs", "trace", runId, "--server", bed.address, ...more], bed.folder, {});
  const table = await show();
  expect(table.code).toBe(0);
  expect(table.out).toMatch(/^run packing +\+0\.000s .*\n└─ pack +.*scheduled.*handed over.*\n└─ note /m);
  expect(table.err).toContain(`trace ${traceIdOf(traced)}`);
  const json = JSON.parse((await show("--output", "json")).out);
  expect(json).toMatchObject({ trace_id: traceIdOf(traced), sampled: true });
  const ids = (all: readonly { readonly span_id?: string; readonly spanId?: string }[]) =>
    new Set(all.map(({ span_id, spanId }) => span_id ?? spanId));
  expect(ids(json.spans)).toEqual(ids(spans));
  await eventually(() => {
    const lines = bed.service().output().split("\n");
    expect(lines.find((line) => line.includes("run completed"))).toContain(`"trace_id":"${traceIdOf(traced)}"`);
  });
});
