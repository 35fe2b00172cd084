/**
 * The document of seed 000, executed: its variables, messages, tables, metrics, and promises, with the clients that its
 * users have. What it cannot hold is in docs/seeds.md.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, inject, test } from "vitest";
import { PYTHON_MISSING } from "../clients/python-environment.ts";
import { eventually } from "../support/eventually.ts";
import { runRedisCommand } from "../support/redis-server.ts";
import { createSeedBed } from "./000/bed.ts";
import { PROMTOOL_MISSING, testAlerts, testQueries } from "./000/promtool.ts";

const task = (id: string, handler: string, more: object = {}): object => ({ id, handler, ...more });
const flow = (...tasks: object[]): object => ({ flow_definition: { id: "seed", name: "Seed", tasks } });

describe.skipIf(PYTHON_MISSING)("seed 000", async () => {
  const bed = await createSeedBed();

  test("a flow that comes with its event runs, and a task message has the fields of the document", async () => {
    const inputs = { n: "${who}" };
    const limits = { max_retries: 3, timeout: 300 };
    const definition = flow(
      task("first", "echo", { inputs, ...limits }),
      task("second", "echo", { depends_on: ["first"], ...limits }),
    );
    const runId = await bed.request({ ...definition, input: { who: "Ada" } });
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED", input_data: { who: "Ada" } });
    const [first, second] = await bed.read("task_queue", runId, 2);
    expect(first?.value).toEqual({
      ...{
        run_id: runId,
        task_id: "first",
        handler: "echo",
        inputs: { n: "Ada" },
        attempt: 0,
        max_retries: 3,
        timeout: 300,
      },
      ...{ correlation_id: "c-1", tenant_id: "default", user_id: "user-1", execution_context: { source: "test" } },
      fencing_token: expect.any(Number),
    });
    expect(second?.value).toMatchObject({ task_id: "second", inputs: { first: { saw: { n: "Ada" } } } });
  });

  test("a registered flow runs by its id", async () => {
    const source = {
      id: "registered",
      workflow: { tasks: [{ id: "t", type: "queue", parameters: { handler: "echo" } }] },
    };
    const body = JSON.stringify({ source: JSON.stringify(source) });
    const registered = bed.curl("--json", body, `http://localhost:${bed.service.port}/v1/flows`);
    expect(registered).toContain('"registered"');
    const runId = await bed.request({ flow_id: "registered" });
    expect(await bed.ended(runId)).toMatchObject({ flow_id: "registered", status: "COMPLETED" });
  });

  test("what was asked for before the topic was read for the first time is not for the service", async () => {
    // Everything else of this file came later, and is there.
    await bed.ended(await bed.request(flow(task("later", "echo"))));
    expect((await bed.query("SELECT * FROM flow_run_history WHERE run_id = %s", bed.early)).rows).toEqual([]);
  });

  test("the consumer group shows to its tools how far the topics have been read", async () => {
    for (const topic of ["flow_runs", "task_done", "task_failed"])
      await eventually(
        async () => {
          const { committed, ends } = JSON.parse(
            await bed.python("kafka.py", "committed", bed.broker, topic, "orchestrator-service", "-"),
          ) as { committed: number[]; ends: number[] };
          expect(committed).toEqual(ends);
        },
        { timeoutMs: 30_000, intervalMs: 500 },
      );
  });

  test("a task that fails for good ends its run", async () => {
    const runId = await bed.request(flow(task("doomed", "broken", { max_retries: 0 })));
    expect(await bed.ended(runId)).toMatchObject({
      status: "FAILED",
      error_message: expect.stringContaining("it broke"),
    });
    const { rows } = await bed.query("SELECT * FROM task_execution_history WHERE run_id = %s", runId);
    expect(rows).toMatchObject([
      { task_id: "doomed", handler: "broken", status: "FAILED", error_message: "it broke", execution_time_ms: 1 },
    ]);
  });

  test("a task is tried again as often as it says, and is a dead letter then", async () => {
    const runId = await bed.request(flow(task("doomed", "broken", { max_retries: 1 })));
    const sent = await bed.read("task_queue", runId, 2);
    expect(sent.map(({ value }) => value.attempt)).toEqual([0, 1]);
    const [letter] = await bed.read("dead_letter_queue", runId, 1);
    expect(letter?.value).toMatchObject({ task_id: "doomed", attempts: 2, reason: "ATTEMPTS_EXHAUSTED" });
    const { rows } = await bed.query("SELECT attempts FROM task_execution_history WHERE run_id = %s", runId);
    expect(rows).toEqual([{ attempts: 2 }]);
  });

  test("a task that fails for good goes to the topic of dead letters", async () => {
    const runId = await bed.request(flow(task("doomed", "broken", { inputs: { n: 1 }, max_retries: 0 })));
    const [letter] = await bed.read("dead_letter_queue", runId, 1);
    expect(letter?.value).toMatchObject({
      ...{ event_type: "task_dead_lettered", run_id: runId, task_id: "doomed", handler: "broken", inputs: { n: 1 } },
      ...{ tenant_id: "default", user_id: "user-1", correlation_id: "c-1", attempts: 1, error: "it broke" },
    });
  });

  test("a run whose flow nobody has registered has failed", async () => {
    const runId = await bed.request({ flow_id: "nobody" });
    expect(await bed.ended(runId)).toMatchObject({
      status: "FAILED",
      error_message: expect.stringContaining("FLOW_NOT_FOUND"),
    });
  });

  test("a task that says nothing gets the retries and the timeout of the variables", async () => {
    const runId = await bed.request(flow(task("silent", "echo")));
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED" });
    const [sent] = await bed.read("task_queue", runId, 1);
    expect(sent?.value).toMatchObject({ max_retries: 3, timeout: 300 });
  });

  test("a failed task is tried again after base^n seconds, with the next attempt", async () => {
    const runId = await bed.request(flow(task("flaky", "echo", { inputs: { fails: 2 }, max_retries: 3 })));
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED" });
    const sent = await bed.read("task_queue", runId, 3);
    expect(sent.map(({ value }) => value.attempt)).toEqual([0, 1, 2]);
    const [first = 0, second = 0, third = 0] = sent.map(({ sent_at }) => sent_at);
    expect(second - first).toBeGreaterThanOrEqual(2_000);
    expect(third - second).toBeGreaterThanOrEqual(4_000);
  });

  test("the tables have the columns of the document, and are read with its names", async () => {
    const runId = await bed.request({ ...flow(task("timed", "echo", { inputs: { takes: 300 } })), input: { n: 1 } });
    await bed.ended(runId);
    const runs = await bed.query("SELECT * FROM flow_run_history WHERE run_id = %s", runId);
    expect(runs.types).toEqual({
      ...{ id: "int8", run_id: "text", flow_id: "text", tenant_id: "text", user_id: "text", correlation_id: "text" },
      ...{ status: "text", input_data: "jsonb", output_data: "jsonb", execution_context: "jsonb" },
      ...{ error_message: "text", created_at: "timestamptz", updated_at: "timestamptz", completed_at: "timestamptz" },
    });
    const common = { run_id: runId, status: "COMPLETED", error_message: null };
    expect(runs.rows).toMatchObject([
      {
        ...{ ...common, flow_id: "seed", tenant_id: "default", user_id: "user-1", correlation_id: "c-1" },
        ...{ input_data: { n: 1 }, execution_context: { source: "test" } },
      },
    ]);
    const tasks = await bed.query("SELECT * FROM task_execution_history WHERE run_id = %s", runId);
    expect(tasks.types).toEqual({
      ...{ id: "int8", run_id: "text", task_id: "text", handler: "text", status: "text", attempts: "int4" },
      ...{ input_data: "jsonb", output_data: "jsonb", error_message: "text", execution_time_ms: "int4" },
      ...{ created_at: "timestamptz", updated_at: "timestamptz", completed_at: "timestamptz" },
    });
    expect(tasks.rows).toMatchObject([
      {
        ...{ ...common, task_id: "timed", handler: "echo", attempts: 1, execution_time_ms: 300 },
        ...{ input_data: { takes: 300 }, output_data: { saw: { takes: 300 } } },
      },
    ]);
    await expect(bed.query("DELETE FROM flow_run_history")).rejects.toThrow(/cannot delete from view/);
    await expect(bed.query("INSERT INTO task_execution_history (run_id) VALUES ('r')")).rejects.toThrow(
      /cannot insert into view/,
    );
  });

  test("runs and tasks that have not ended are in the tables, without a time of their end", async () => {
    const runId = await bed.request(flow(task("waits", "silent"), task("after", "echo", { depends_on: ["waits"] })));
    await bed.read("task_queue", runId, 1);
    const common = { completed_at: null, output_data: null, error_message: null };
    const runs = await bed.query("SELECT * FROM flow_run_history WHERE run_id = %s", runId);
    expect(runs.rows).toMatchObject([{ ...common, status: "RUNNING" }]);
    const tasks = await bed.query("SELECT * FROM task_execution_history WHERE run_id = %s ORDER BY id", runId);
    // The other task has not begun: it has no row yet.
    expect(tasks.rows).toMatchObject([{ ...common, task_id: "waits", status: "SCHEDULED", attempts: 1 }]);
    await bed.python(
      ...(["kafka.py", "send", bed.broker, "task_done", runId] as const),
      JSON.stringify({ run_id: runId, task_id: "waits", output: { by: "hand" } }),
    );
    const row = await bed.ended(runId);
    expect(row.output_data).toEqual({ after: { saw: { waits: { by: "hand" } } } });
    const [created, updated, completed] = ["created_at", "updated_at", "completed_at"].map((name) =>
      Date.parse(String(row[name])),
    );
    expect(created).toBeLessThan(completed ?? 0);
    expect(updated).toBeGreaterThanOrEqual(completed ?? Number.NaN);
  });

  test("the metrics of the document are of its types", () => {
    const text = bed.curl("--fail", `http://localhost:${bed.service.metricsPort}/metrics`);
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => [name, type]));
    const named = {
      counter: ["flow_runs_processed_total", "tasks_scheduled_total", "tasks_completed_total", "retry_attempts_total"],
      histogram: ["run_execution_seconds", "task_execution_seconds"],
      gauge: ["active_runs", "active_tasks", "dead_letter_queue_size"],
    };
    for (const [type, names] of Object.entries(named))
      for (const name of names) expect([name, types.get(`orchestrator_${name}`)]).toEqual([name, type]);
  });

  test("the metrics of the document count what happens", async () => {
    const before = bed.metrics();
    const runId = await bed.request(
      flow(
        task("again", "echo", { inputs: { fails: 1, takes: 300 }, max_retries: 1 }),
        task("doomed", "broken", { max_retries: 0 }),
      ),
    );
    await bed.ended(runId);
    const after = bed.metrics();
    const rise = (name: string): number => (after.get(name) ?? Number.NaN) - (before.get(name) ?? 0);
    expect({
      processed: rise('orchestrator_flow_runs_processed_total{status="FAILED"}'),
      runs: rise("orchestrator_run_execution_seconds_count"),
      scheduled: rise("orchestrator_tasks_scheduled_total"),
      completed: rise('orchestrator_tasks_completed_total{status="COMPLETED"}'),
      failed: rise('orchestrator_tasks_completed_total{status="FAILED"}'),
      seconds: rise('orchestrator_task_execution_seconds_sum{handler="echo"}'),
      retries: rise('orchestrator_retry_attempts_total{task="again",handler="echo"}'),
      deadLetters: rise("orchestrator_dead_letter_queue_size"),
      active: [after.get("orchestrator_active_runs"), after.get("orchestrator_active_tasks")],
    }).toEqual({
      ...{ processed: 1, runs: 1, scheduled: 2, completed: 1, failed: 1, retries: 1, deadLetters: 1 },
      // As the executor says, for both attempts.
      seconds: expect.closeTo(0.6, 6),
      active: [0, 0],
    });
  });

  test.skipIf(PROMTOOL_MISSING)("the queries of the document give what happened", async () => {
    const before = bed.metrics();
    await bed.ended(await bed.request(flow(task("retried", "echo", { inputs: { fails: 1 }, max_retries: 1 }))));
    const runId = await bed.request(flow(task("waits", "silent")));
    await bed.read("task_queue", runId, 1);
    const { rows } = await bed.query("SELECT handler, status FROM task_execution_history WHERE run_id = %s", runId);
    expect(rows).toEqual([{ handler: "silent", status: "SCHEDULED" }]);
    const after = bed.metrics();
    const [runs = 0, letters = 0] = ["orchestrator_active_runs", "orchestrator_dead_letter_queue_size"].map(
      (name) => after.get(name) ?? Number.NaN,
    );
    expect(runs).toBe(1);
    testQueries(before, after, [
      { expr: "sum(rate(orchestrator_flow_runs_processed_total[5m])) > bool 0", value: 1 },
      { expr: "sum(rate(orchestrator_tasks_completed_total[5m])) > bool 0", value: 1 },
      { expr: "sum(orchestrator_active_runs)", value: runs },
      { expr: "count(rate(orchestrator_retry_attempts_total[5m]) >= 0) > bool 0", value: 1 },
      { expr: "sum(orchestrator_dead_letter_queue_size)", value: letters },
    ]);
    const { status } = spawnSync("promtool", ["check", "metrics"], {
      input: bed.curl(`http://localhost:${bed.service.metricsPort}/metrics`),
    });
    // 3: it can be read, with remarks on style.
    expect([0, 3]).toContain(status);
  });

  test.skipIf(PROMTOOL_MISSING)("the alerts of the document fire for what they are about, and for nothing else", () => {
    const retries = 'orchestrator_retry_attempts_total{task="t",handler="h"}';
    testAlerts({ [retries]: "0+10x20" }, [{ eval_time: "10m", alertname: "HighRetryRate", fires: "warning" }]);
    testAlerts({ [retries]: "0+1x20" }, [{ eval_time: "10m", alertname: "HighRetryRate", fires: null }]);
    const letters = 'orchestrator_dead_letter_queue_size{instance="a"}';
    testAlerts({ [letters]: "0+5x20" }, [{ eval_time: "10m", alertname: "DeadLetterQueueGrowing", fires: "critical" }]);
    // Another instance counts them from now on: its first number is no growth.
    testAlerts({ 'orchestrator_dead_letter_queue_size{instance="b"}': "_x8 500x12" }, [
      { eval_time: "10m", alertname: "DeadLetterQueueGrowing", fires: null },
    ]);
  });

  test.skipIf(inject("redis") === 0)(
    "the state of a run is in Redis, under its key, for as long as it was asked",
    async () => {
      const runId = await bed.request(flow(task("waits", "silent")));
      await bed.read("task_queue", runId, 1);
      const key = `run:${runId}:state`;
      const read = (...command: string[]): string => runRedisCommand(inject("redis"), ...command);
      await eventually(() =>
        expect(JSON.parse(read("GET", key))).toMatchObject({
          ...{ run_id: runId, flow_id: "seed", status: "RUNNING", output: null, error: null },
          tasks: { waits: { status: "SCHEDULED", attempts: 1, error: null } },
        }),
      );
      const expires = (): void => {
        const seconds = Number(read("TTL", key));
        expect(seconds).toBeGreaterThan(3_000);
        expect(seconds).toBeLessThanOrEqual(3_600);
      };
      expires();
      const answer = JSON.stringify({ run_id: runId, task_id: "waits", output: 1 });
      await bed.python("kafka.py", "send", bed.broker, "task_done", runId, answer);
      await eventually(() =>
        expect(JSON.parse(read("GET", key))).toMatchObject({
          ...{ status: "COMPLETED", output: { waits: 1 }, error: null },
          tasks: { waits: { status: "COMPLETED", attempts: 1, error: null } },
        }),
      );
      expires();
    },
  );

  test("health and metrics are on the metrics port; the log is JSON, with what DEBUG adds", () => {
    const { metricsPort } = bed.service;
    expect(JSON.parse(bed.curl(`http://localhost:${metricsPort}/health`))).toMatchObject({
      status: "healthy",
      postgres: { state: "connected" },
      kafka: { state: "connected" },
      redis: { state: inject("redis") === 0 ? "disabled" : "connected" },
    });
    const lines = bed.service.output().trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as { level: string; run_id?: string });
    expect(new Set(entries.map(({ level }) => level))).toContain("debug");
    expect(entries.some(({ run_id }) => run_id !== undefined)).toBe(true);
  });

  test("a killed service goes on where it was", async () => {
    const runId = await bed.request(flow(task("flaky", "echo", { inputs: { fails: 1 }, max_retries: 1 })));
    await bed.read("task_queue", runId, 1);
    await bed.service.stop("SIGKILL");
    await bed.start();
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED" });
  });

  test("the variables of the container of the document are enough", async () => {
    await bed.service.stop();
    await bed.startContained();
    const runId = await bed.request(flow(task("contained", "echo")));
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED" });
  });

  test("metrics can be switched off", async () => {
    await bed.service.stop();
    const { metricsPort } = await bed.start("ORCHESTRATOR_METRICS_ENABLED=false\n");
    expect(() => bed.curl("--fail", `http://localhost:${metricsPort}/metrics`)).toThrow(/Failed to connect|refused/);
  });
});
