/**
 * Metrics of the whole service: the counters of calls and runs. The parts count their own, see {@link Parts.metrics}.
 */

import type { CallMetrics } from "../api/calls/pipeline.ts";
import type { HttpMetrics } from "../api/http/server.ts";
import type { ReportMetrics } from "../api/services/worker-service.ts";
import { readVersion } from "../base/version.ts";
import { externalIdOf } from "../engine/machine/external-ids.ts";
import { type Run, specOf } from "../engine/machine/run.ts";
import type { RunStateName } from "../engine/machine/state.ts";
import type { OperationObserver } from "../engine/operations/observer.ts";
import type { GoalRecord } from "../engine/ports/gate/goals.ts";
import type { GenerationRecord } from "../engine/ports/generation/generations.ts";
import { placeOf, workOf } from "../engine/runs/dispatch/ready-task.ts";
import { generationOf, isGeneration } from "../engine/runs/generations/generation.ts";
import { goalOf, isGoal } from "../engine/runs/goals/goal.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import { NO_OBSERVER, type RuntimeObserver } from "../engine/shard/observer.ts";
import { CANARY_FLOW } from "../flows/builtin/ids.ts";
import { readStoreCounts } from "../store/store-counts.ts";
import type { GaugeSeries, Metrics, MetricsOptions } from "../telemetry/metrics/metrics.ts";
import type { TaskDoer } from "../telemetry/metrics/run-metrics.ts";
import type { Core } from "./compose.ts";
import { COUNTING_SHARD } from "./parts/parts.ts";

/** Gauges of the whole database, and what they show. */
const COUNTED = [
  ["orchestrator_overdue_runs", "overdueRuns"],
  ["orchestrator_overdue_seconds", "overdueSeconds"],
  ["orchestrator_dead_letter_queue_size", "deadLetters"],
  ["orchestrator_dead_letter_oldest_seconds", "deadLetterSeconds"],
  ["orchestrator_open_operations", "openOperations"],
  ["orchestrator_undelivered_messages", "undelivered"],
  ["orchestrator_outbox_oldest_seconds", "outboxSeconds"],
  ["orchestrator_unshown_goals", "unshownGoals"],
  ["orchestrator_unfinalized_versions", "unfinalizedVersions"],
] as const;

/** Public states of runs that have not ended. */
const OPEN_STATES = [
  ...["QUEUED", "RUNNING", "WAITING", "PAUSED", "SUSPENDED", "QUARANTINED", "CANCELING", "COMPENSATING"],
] as const satisfies readonly RunStateName[];

/** Counters of calls and runs. */
export interface ServiceMetrics {
  /** All metrics of the service; null when they are disabled. */
  readonly metrics: Metrics | null;
  readonly calls: CallMetrics;
  readonly http: HttpMetrics;
  readonly reports: ReportMetrics;
  readonly observers: readonly RunObserver[];
  readonly operationObservers: readonly OperationObserver[];
  readonly runtimeObserver: RuntimeObserver;
  /** Connects the gauges that are read on demand to their source, once the core exists. */
  attach(core: Pick<Core, "database" | "shards">): void;
}

/** Nothing is counted. */
export const WITHOUT_METRICS: ServiceMetrics = {
  metrics: null,
  calls: { forMethod: () => ({ started() {}, finished() {}, sent() {} }) },
  http: { requested() {} },
  reports: { answered() {} },
  observers: [],
  operationObservers: [],
  runtimeObserver: NO_OBSERVER,
  attach() {},
};

/** Creates the metrics of the service. */
export async function createServiceMetrics(
  options: MetricsOptions = {},
): Promise<ServiceMetrics & { readonly metrics: Metrics }> {
  const [
    { createMetrics },
    { createRunMetrics },
    { createOperationMetrics },
    { createGoalMetrics },
    { createHandOverMetrics },
    { createRuntimeMetrics },
    { createCallMetrics, createHttpMetrics },
  ] = await Promise.all([
    import("../telemetry/metrics/metrics.ts"),
    import("../telemetry/metrics/run-metrics.ts"),
    import("../telemetry/metrics/operation-metrics.ts"),
    import("../telemetry/goal-story.ts"),
    import("../telemetry/metrics/queue-metrics.ts"),
    import("../telemetry/metrics/runtime-metrics.ts"),
    import("../api/metrics.ts"),
  ]);
  const metrics = createMetrics(options);
  metrics.gauge("orchestrator_build_info", readVersion()).set(1);
  return {
    metrics,
    calls: createCallMetrics(metrics),
    http: createHttpMetrics(metrics),
    reports: { answered: (outcome) => metrics.counter("orchestrator_task_reports_total", outcome).add() },
    observers: [
      createRunMetrics(metrics, {
        ...{ doerOf, taskOf },
        isCanary: ({ state }) => state.flowId === CANARY_FLOW,
        isGoal: ({ state }) => isGoal(state),
      }),
      createGoalMetrics(metrics, goalOfRun),
      createHandOverMetrics(metrics, (run, path) => placeOf(run, run.state.tasks.get(path) ?? { path, input: null })),
    ],
    operationObservers: [createOperationMetrics(metrics)],
    runtimeObserver: createRuntimeMetrics(metrics),
    attach({ database, shards }) {
      // Apart from what is asked of the database: an exhausted pool is what these show.
      metrics.beforeRead(async () => {
        metrics.gauge("orchestrator_owned_shards").set(shards.owned.length);
        for (const pool of ["journal", "reads"] as const) {
          const { open, idle, waiting } = database[pool].stats();
          metrics.gauge("orchestrator_db_pool_connections", pool, "idle").set(idle);
          metrics.gauge("orchestrator_db_pool_connections", pool, "in_use").set(open - idle);
          metrics.gauge("orchestrator_db_pool_waiting", pool).set(waiting);
        }
      });
      metrics.beforeRead(async () => {
        // Two instances that show the same number would count it twice. One that shows nothing is no fall to 0, and the
        // next owner's first number no rise.
        const counts = shards.owned.includes(COUNTING_SHARD) ? await readStoreCounts(database) : null;
        const show = (gauge: GaugeSeries, value: number | undefined): void =>
          value === undefined ? gauge.hide() : gauge.set(value);
        for (const [name, count] of COUNTED) show(metrics.gauge(name), counts?.[count]);
        const open = counts === null ? undefined : OPEN_STATES.map((state) => counts.runs[state] ?? 0);
        for (const [index, state] of OPEN_STATES.entries())
          show(metrics.gauge("orchestrator_open_runs", state), open?.[index]);
        show(
          metrics.gauge("orchestrator_active_runs"),
          open?.reduce((sum, count) => sum + count, 0),
        );
      });
    },
  };
}

/** The generation that a run is; null: it is none. */
export function generationOfRun({ state }: Run): GenerationRecord | null {
  return isGeneration(state) ? generationOf(state) : null;
}

/** The goal that a run is; null: it is none. */
export function goalOfRun({ state }: Run): GoalRecord | null {
  return isGoal(state) ? goalOf(state) : null;
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
