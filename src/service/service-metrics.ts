/** Metrics of the whole service: the counters of all parts, and their source for the metrics port. */

import type { CallMetrics } from "../api/calls/pipeline.ts";
import type { HttpMetrics } from "../api/http/server.ts";
import type { ReportMetrics } from "../api/services/worker-service.ts";
import { readVersion } from "../base/version.ts";
import type { HotStateMetrics } from "../bus/redis/hot-state.ts";
import type { MessageCounts } from "../bus/redis/messages.ts";
import { externalIdOf } from "../engine/machine/external-ids.ts";
import { type Run, specOf } from "../engine/machine/run.ts";
import type { OperationObserver } from "../engine/operations/observer.ts";
import { placeOf, workOf } from "../engine/runs/dispatch/ready-task.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import { readStoreCounts } from "../store/store-counts.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { TaskDoer } from "../telemetry/run-metrics.ts";
import type { ToolMetrics } from "../tools/path/observe-step.ts";
import type { Core } from "./compose.ts";
import type { AgentMetrics } from "./parts/agents.ts";
import type { KafkaMetrics } from "./parts/kafka.ts";

/** The owner of this shard counts what is in the whole database. */
const COUNTING_SHARD = 0;

/** Gauges of the whole database, and what they show. */
const COUNTED = [
  ["orchestrator_active_runs", "activeRuns"],
  ["orchestrator_dead_letter_queue_size", "deadLetters"],
  ["orchestrator_open_operations", "openOperations"],
] as const;

/** Counters for the parts of the service. */
export interface ServiceMetrics {
  /** Source for the metrics port; null when metrics are disabled. */
  readonly metrics: Metrics | null;
  readonly calls: CallMetrics;
  readonly http: HttpMetrics;
  readonly tools?: ToolMetrics;
  readonly hotState?: HotStateMetrics;
  readonly reports: ReportMetrics;
  readonly kafka: KafkaMetrics;
  readonly messages?: MessageCounts;
  readonly agents?: AgentMetrics;
  readonly observers: readonly RunObserver[];
  readonly operationObservers: readonly OperationObserver[];
  readonly onPoolWait?: (pool: string, waitedMs: number) => void;
  /** Connects the gauges that are read on demand to their source, once the core exists. */
  attach(core: Core): void;
}

/** No metrics are counted. */
export const NO_METRICS: ServiceMetrics = {
  metrics: null,
  calls: { forMethod: () => ({ started() {}, finished() {}, sent() {} }) },
  http: { requested() {} },
  reports: { answered() {} },
  kafka: { jumped() {}, ignored() {} },
  observers: [],
  operationObservers: [],
  attach() {},
};

/** Creates the metrics of all parts. */
export async function createServiceMetrics(): Promise<ServiceMetrics> {
  const [
    { createMetrics },
    { createRunMetrics },
    { createOperationMetrics },
    { createHandOverMetrics, createQueueGauges },
    { createCallMetrics, createHttpMetrics },
  ] = await Promise.all([
    import("../telemetry/metrics.ts"),
    import("../telemetry/run-metrics.ts"),
    import("../telemetry/operation-metrics.ts"),
    import("../telemetry/queue-metrics.ts"),
    import("../api/metrics.ts"),
  ]);
  const metrics = createMetrics();
  metrics.gauge("orchestrator_build_info", readVersion()).set(1);
  const runMetrics = createRunMetrics(metrics, doerOf, taskOf);
  return {
    metrics,
    calls: createCallMetrics(metrics),
    http: createHttpMetrics(metrics),
    tools: {
      called(type, result, seconds) {
        metrics.histogram("orchestrator_task_execution_seconds", type).observe(seconds);
        metrics.counter("orchestrator_tool_calls_total", type, result).add();
      },
      breakerChanged: (state) => metrics.counter("orchestrator_breaker_moves_total", state).add(),
    },
    hotState: {
      counted: (result, count) => metrics.counter("orchestrator_hot_states_total", result).add(count),
    },
    agents: {
      requested: (type, result) => metrics.counter("orchestrator_agent_requests_total", type, result).add(),
      answered: (type, result) => metrics.counter("orchestrator_agent_answers_total", type, result).add(),
    },
    messages: {
      counted: (source, what, count) => metrics.counter("orchestrator_redis_messages_total", source, what).add(count),
    },
    kafka: {
      jumped: (topic) => metrics.counter("orchestrator_kafka_jumps_total", topic).add(),
      ignored: (reason) => metrics.counter("orchestrator_kafka_ignored_answers_total", reason).add(),
    },
    reports: { answered: (outcome) => metrics.counter("orchestrator_task_reports_total", outcome).add() },
    observers: [
      runMetrics,
      createHandOverMetrics(metrics, (run, path) => placeOf(run, run.state.tasks.get(path) ?? { path, input: null })),
    ],
    operationObservers: [createOperationMetrics(metrics)],
    onPoolWait: (pool, waitedMs) =>
      metrics.histogram("orchestrator_db_pool_wait_seconds", pool).observe(waitedMs / 1_000),
    attach({ database, queueGauges, outboxGate, shards }) {
      metrics.beforeRead(async () => runMetrics.keep((runId) => shards.epochOf(shards.shardOf(runId)) !== undefined));
      const setQueueGauges = createQueueGauges(metrics);
      metrics.beforeRead(() => setQueueGauges(queueGauges));
      if (outboxGate !== null)
        metrics.beforeRead(async () => {
          metrics.gauge("orchestrator_outbox_messages").set(outboxGate.backlog.messages);
          metrics.gauge("orchestrator_outbox_bytes").set(outboxGate.backlog.bytes);
          metrics.gauge("orchestrator_outbox_full").set(outboxGate.isFull ? 1 : 0);
        });
      metrics.beforeRead(async () => {
        // Two instances that show the same number would count it twice. One that shows nothing is no fall to 0, and the
        // next owner's first number no rise.
        const counts = shards.owned.includes(COUNTING_SHARD) ? await readStoreCounts(database) : null;
        for (const [name, count] of COUNTED) {
          if (counts === null) metrics.gauge(name).hide();
          else metrics.gauge(name).set(counts[count]);
        }
      });
    },
  };
}

/** Who does a task, as the labels name it. */
function doerOf(run: Run, path: string): TaskDoer {
  const { type, effect } = specOf(run, path);
  if (effect !== "remote") return { handler: type, isAway: false };
  return { handler: workOf(run, run.state.tasks.get(path) ?? { path, input: null }).handler, isAway: true };
}

/** Children and visits count for their task, so that the label has no more values than flows have tasks. */
function taskOf({ plan }: Run, path: string): string {
  return externalIdOf(plan, path.split(/[.~]/, 1)[0] ?? path);
}
