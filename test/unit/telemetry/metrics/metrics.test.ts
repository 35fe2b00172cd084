import { get } from "node:http";
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { isOrchestratorError } from "../../../../src/base/errors.ts";
import { createHostRule } from "../../../../src/base/host-rule.ts";
import { type LogFields, silentLog } from "../../../../src/base/log.ts";
import { applyRecord } from "../../../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import type { Run } from "../../../../src/engine/machine/run.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import type { RunObserver } from "../../../../src/engine/runs/observer.ts";
import { METRICS } from "../../../../src/telemetry/metrics/metric-table.ts";
import { createMetrics, MAX_SERIES } from "../../../../src/telemetry/metrics/metrics.ts";
import { type MetricsServer, openMetricsServer } from "../../../../src/telemetry/metrics/metrics-server.ts";
import { createRunMetrics } from "../../../../src/telemetry/metrics/run-metrics.ts";

/** Names that documents of earlier systems fix. */
const FIXED = [
  "orchestrator_flow_runs_processed_total",
  "orchestrator_run_execution_seconds",
  "orchestrator_active_runs",
  "orchestrator_tasks_scheduled_total",
  "orchestrator_tasks_completed_total",
  "orchestrator_task_execution_seconds",
  "orchestrator_active_tasks",
  "orchestrator_retry_attempts_total",
  "orchestrator_dead_letter_queue_size",
  "http_requests_total",
  "http_request_duration_seconds",
];

const servers: MetricsServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** Lines of a text that name a metric. */
function linesOf(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith("#"));
}

test("the fixed names are there, and every name has the unit or form that its kind demands", () => {
  for (const name of FIXED) expect(METRICS).toHaveProperty(name);
  for (const [name, { kind, ...entry }] of Object.entries(METRICS)) {
    // Cause: the four values of one label stood as those of four labels, and none of them showed from the start.
    const known = "values" in entry ? entry.values.length : 0;
    expect([0, entry.labels.length], name).toContain(known);
    if (kind === "counter") expect(name).toMatch(/_total$/);
    if (kind === "histogram") expect(name).toMatch(/_(seconds|bytes)$/);
    expect(name).toMatch(/^(orchestrator|octollm_orchestrator|grpc_server|http)_[a-z_]+$/);
  }
});

test("counters, gauges and histograms are printed as Prometheus reads them", async () => {
  const metrics = createMetrics();
  metrics.counter("orchestrator_tasks_completed_total", 'a"b\\c\nd').add();
  metrics.counter("orchestrator_tasks_completed_total", 'a"b\\c\nd').add(2);
  metrics.gauge("orchestrator_active_runs").set(4);
  for (const seconds of [0.001, 0.0011, 61, 70])
    metrics.histogram("orchestrator_db_pool_wait_seconds", "reads").observe(seconds);
  const text = await metrics.render();
  expect(linesOf(text, "orchestrator_tasks_completed_total")).toContain(
    'orchestrator_tasks_completed_total{status="a\\"b\\\\c\\nd"} 3',
  );
  expect(linesOf(text, "orchestrator_active_runs")).toEqual(["orchestrator_active_runs 4"]);
  const lines = linesOf(text, "orchestrator_db_pool_wait_seconds");
  expect(lines[0]).toBe('orchestrator_db_pool_wait_seconds_bucket{pool="reads",le="0.001"} 1');
  expect(lines.at(-4)).toBe('orchestrator_db_pool_wait_seconds_bucket{pool="reads",le="60"} 2');
  expect(lines.at(-3)).toBe('orchestrator_db_pool_wait_seconds_bucket{pool="reads",le="+Inf"} 4');
  expect(lines.at(-1)).toBe('orchestrator_db_pool_wait_seconds_count{pool="reads"} 4');
  expect(text).toContain("# TYPE orchestrator_db_pool_wait_seconds histogram");
  expect(text).toContain("nodejs_eventloop_lag_seconds");
});

test("metrics without labels show from the start", async () => {
  expect(linesOf(await createMetrics().render(), "orchestrator_tasks_scheduled_total")).toEqual([
    "orchestrator_tasks_scheduled_total 0",
  ]);
});

test("labels with known values show from the start, so that the first failure is an increase", async () => {
  const text = await createMetrics().render();
  expect(linesOf(text, "orchestrator_flow_runs_processed_total")).toContain(
    'orchestrator_flow_runs_processed_total{status="FAILED"} 0',
  );
  expect(linesOf(text, "orchestrator_tasks_completed_total")).toHaveLength(6);
  expect(linesOf(text, "orchestrator_breaker_moves_total")).toHaveLength(3);
  expect(linesOf(text, "orchestrator_retry_attempts_total")).toEqual([]);
});

test("labels that never end are gathered in one series", async () => {
  const metrics = createMetrics();
  for (let index = 0; index < MAX_SERIES + 50; index += 1)
    metrics.counter("orchestrator_retry_attempts_total", `t${index}`, "http").add();
  const lines = linesOf(await metrics.render(), "orchestrator_retry_attempts_total");
  expect(lines).toHaveLength(MAX_SERIES + 1);
  expect(lines).toContain('orchestrator_retry_attempts_total{task="other",handler="other"} 50');
  for (let index = 0; index < 300; index += 1)
    metrics.histogram("orchestrator_task_execution_seconds", `h${index}`).observe(1);
  const counts = linesOf(await metrics.render(), "orchestrator_task_execution_seconds").filter((line) =>
    line.startsWith("orchestrator_task_execution_seconds_count"),
  );
  expect(counts).toHaveLength(201);
  expect(counts).toContain('orchestrator_task_execution_seconds_count{handler="other"} 100');
});

test("a gauge that another instance shows is not here", async () => {
  const metrics = createMetrics();
  const gauge = metrics.gauge("orchestrator_active_runs");
  gauge.hide();
  expect(linesOf(await metrics.render(), "orchestrator_active_runs")).toEqual([]);
  gauge.set(0);
  expect(linesOf(await metrics.render(), "orchestrator_active_runs")).toEqual(["orchestrator_active_runs 0"]);
});

test("gauges are looked up before each reading; one that cannot be leaves the others alone", async () => {
  const metrics = createMetrics();
  metrics.beforeRead(async () => metrics.gauge("orchestrator_active_runs").set(9));
  metrics.beforeRead(async () => {
    throw new Error("away");
  });
  expect(linesOf(await metrics.render(), "orchestrator_active_runs")).toEqual(["orchestrator_active_runs 9"]);
});

// Lists that waited for an exhausted pool held up the reading that should have shown it, until Prometheus gave up.
test("one that takes long holds up no reading, is not begun again meanwhile, and is shown when it has ended", async () => {
  const metrics = createMetrics({ patienceMs: 10 });
  const { promise, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  metrics.beforeRead(async () => {
    looks += 1;
    await promise;
    metrics.gauge("orchestrator_active_runs").set(9);
  });
  metrics.beforeRead(async () => metrics.gauge("orchestrator_owned_shards").set(3));
  for (let readings = 0; readings < 2; readings++) {
    const text = await metrics.render();
    expect(linesOf(text, "orchestrator_active_runs")).toEqual(["orchestrator_active_runs 0"]);
    expect(linesOf(text, "orchestrator_owned_shards")).toEqual(["orchestrator_owned_shards 3"]);
  }
  expect(looks).toBe(1);
  resolve();
  await promise;
  expect(linesOf(await metrics.render(), "orchestrator_active_runs")).toEqual(["orchestrator_active_runs 9"]);
});

test("runs and tasks are counted from their records", async () => {
  const metrics = createMetrics();
  const doerOf = (_: Run, path: string) => ({ handler: "http", isAway: path === "last" });
  const observer = createRunMetrics(metrics, {
    doerOf,
    taskOf: (_, path) => path.split(".")[0] ?? "",
    ...{ isCanary: () => false, isGoal: () => false },
  });
  const run = { state: createState("r") } as Run;
  const commit = (records: readonly JournalRecord[]): void => {
    const first = run.state.sequence + 1;
    for (const record of records) applyRecord(run.state, record);
    observer.committed(run, records, first);
  };
  const error = { type: "X", message: "m", retryable: true };
  const records: JournalRecord[] = [
    { type: "run.started", at: 1_000, flowId: "f", version: "1", hash: "", tenantId: "t", vars: {}, facts: {} },
    { type: "task.expanded", at: 1_000, task: "load", count: 1 },
    { type: "task.dispatched", at: 1_000, task: "load.0", attempt: 1 },
    { type: "task.retrying", at: 1_100, task: "load.0", error, dueAt: 2_000 },
    { type: "task.dispatched", at: 2_000, task: "load.0", attempt: 2 },
    { type: "task.retrying", at: 2_100, task: "load.0", error, dueAt: 3_000, deferred: true },
    { type: "task.failed", at: 3_000, task: "load.0", error, deadLetter: "NOT_RETRYABLE" },
    { type: "task.failed", at: 3_000, task: "load", error },
    { type: "task.completed", at: 3_000, task: "pure", output: null },
    { type: "task.failed", at: 3_000, task: "unready", error, handled: true },
    { type: "task.dispatched", at: 3_000, task: "last", attempt: 1 },
    { type: "task.retrying", at: 3_200, task: "last", error, dueAt: 3_300, tookMs: 50 },
    { type: "task.dispatched", at: 3_500, task: "last", attempt: 2 },
  ];
  commit(records);
  commit([
    { type: "task.completed", at: 4_000, task: "last", output: null },
    { type: "run.completed", at: 4_000, output: null },
  ]);
  observer.quarantined?.("unreadable", "UNREADABLE");
  observer.quarantined?.("blocked", "BLOCKED");
  const text = await metrics.render();
  for (const line of [
    'orchestrator_runs_started_total{begins="now"} 1',
    'orchestrator_runs_started_total{begins="later"} 0',
    'orchestrator_flow_runs_processed_total{status="COMPLETED"} 1',
    "orchestrator_run_execution_seconds_sum 3",
    // The group, its child (once, for all its attempts), the pure one, the one that could not begin, the last.
    "orchestrator_tasks_scheduled_total 5",
    'orchestrator_retry_attempts_total{task="load",handler="http"} 1',
    // As somebody said, and from the start of the attempt.
    'orchestrator_task_execution_seconds_sum{handler="http"} 0.55',
    'orchestrator_task_execution_seconds_count{handler="http"} 2',
    'orchestrator_tasks_completed_total{status="FAILED"} 3',
    'orchestrator_tasks_completed_total{status="COMPLETED"} 2',
    'orchestrator_dead_letters_total{reason="NOT_RETRYABLE"} 1',
    "orchestrator_quarantined_runs_total 2",
    'orchestrator_runs_blamed_total{reason="BLOCKED"} 1',
    'orchestrator_runs_blamed_total{reason="KILLED"} 0',
    "orchestrator_journal_records_total 15",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

/** Tells an observer of a run that completes at once, or is started with a delay. */
function tellRun(observer: RunObserver, flowId: string, startAt?: number): void {
  const run = { state: createState("r") } as Run;
  const start = { flowId, version: "1", hash: "", tenantId: "t", vars: {}, facts: {} };
  const records: readonly JournalRecord[] =
    startAt === undefined
      ? [
          { type: "run.started", at: 1_000, ...start },
          { type: "task.completed", at: 1_000, task: "a", output: null },
          { type: "run.held", at: 1_000, hold: "quarantine", by: "test", why: "it kills" },
          { type: "run.completed", at: 1_000, output: null },
        ]
      : [{ type: "run.started", at: 1_000, ...start, startAt }];
  for (const record of records) applyRecord(run.state, record);
  observer.committed(run, records, 1);
}

test("runs that wait by their nature are told apart at their start, and canaries are left out", async () => {
  const metrics = createMetrics();
  const observer = createRunMetrics(metrics, {
    doerOf: () => ({ handler: "noop", isAway: false }),
    taskOf: (_, path) => path,
    isCanary: ({ state }) => state.flowId === "canary",
    isGoal: ({ state }) => state.flowId === "goal",
  });
  tellRun(observer, "mine");
  tellRun(observer, "mine", 61_000);
  tellRun(observer, "goal");
  tellRun(observer, "canary");
  const lines = (await metrics.render()).split("\n");
  for (const line of [
    'orchestrator_runs_started_total{begins="now"} 1',
    'orchestrator_runs_started_total{begins="later"} 2',
    "orchestrator_tasks_scheduled_total 2",
    'orchestrator_tasks_completed_total{status="COMPLETED"} 2',
    'orchestrator_flow_runs_processed_total{status="COMPLETED"} 2',
    "orchestrator_run_execution_seconds_count 2",
    // What goes wrong with a canary, and what the journal holds, count.
    "orchestrator_quarantined_runs_total 3",
    "orchestrator_journal_records_total 13",
  ])
    expect(lines).toContain(line);
});

test("the port serves metrics and health, and nothing else", async () => {
  let ready = true;
  const connections = new Map([
    ["kafka", null],
    ["redis", { connected: false, since: 0, problem: "nobody listens" }],
    ["postgres", { connected: true, since: 1_000, problem: "" }],
  ]);
  const told = {
    kafka: { state: "disabled" },
    redis: { state: "disconnected", since: "1970-01-01T00:00:00.000Z", problem: "nobody listens" },
    postgres: { state: "connected", since: "1970-01-01T00:00:01.000Z" },
  };
  const server = await openMetricsServer(
    createMetrics(),
    () => ({ ready, missing: ready ? [] : ["database"], connections }),
    { host: "127.0.0.1", port: 0, hosts: createHostRule([]), explicit: true },
    silentLog,
  );
  servers.push(server);
  const url = `http://127.0.0.1:${server.address?.port}`;
  const metrics = await fetch(`${url}/metrics`);
  expect(metrics.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  expect(await metrics.text()).toContain("orchestrator_tasks_scheduled_total 0");
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "healthy", missing: [], ...told });
  ready = false;
  const health = await fetch(`${url}/health`);
  expect(health.status).toBe(503);
  expect(await health.json()).toEqual({ status: "unhealthy", missing: ["database"], ...told });
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: "POST" })).status).toBe(405);
  expect(metrics.headers.get("x-content-type-options")).toBe("nosniff");
  expect(metrics.headers.get("cache-control")).toBe("no-store");
  // A page whose name was pointed at this machine after it had loaded may not read the metrics.
  const foreign = await new Promise<number | undefined>((resolve) =>
    get(`${url}/metrics`, { headers: { host: "evil.example.com" } }, (answer) => resolve(answer.resume().statusCode)),
  );
  expect(foreign).toBe(403);
});

test("a busy port is an error when it was asked for, and a warning when it was not", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const warnings: (LogFields | undefined)[] = [];
  const log = { ...silentLog, warn: (_message: string, fields?: LogFields) => void warnings.push(fields) };
  const health = () => ({ ready: true, missing: [], connections: new Map() });
  const server = await openMetricsServer(
    createMetrics(),
    health,
    { host: "127.0.0.1", port, hosts: createHostRule([]), explicit: false },
    log,
  );
  expect(server.address).toBeNull();
  expect(warnings).toEqual([{ port }]);
  const error = await openMetricsServer(
    createMetrics(),
    health,
    { host: "127.0.0.1", port, hosts: createHostRule([]), explicit: true },
    log,
  ).catch((thrown: unknown) => thrown);
  expect(isOrchestratorError(error) && error.code).toBe("PORT_IN_USE");
  expect(String(error)).toContain("ORCHESTRATOR_METRICS_PORT");
  other.close();
});
