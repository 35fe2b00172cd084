/** What other systems read: the views with the names and columns of their own tables. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

async function columnsOf(view: string): Promise<Record<string, string>> {
  const rows = await bed.sql<{ name: string; type: string }>(
    "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
    [view],
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.type]));
}

test("the views have the columns of the tables they stand for", async () => {
  expect(await columnsOf("flow_run_history")).toEqual({
    id: "bigint",
    run_id: "text",
    flow_id: "text",
    tenant_id: "text",
    user_id: "text",
    correlation_id: "text",
    status: "text",
    input_data: "jsonb",
    output_data: "jsonb",
    execution_context: "jsonb",
    error_message: "text",
    created_at: "timestamp with time zone",
    updated_at: "timestamp with time zone",
    completed_at: "timestamp with time zone",
  });
  expect(await columnsOf("task_execution_history")).toEqual({
    id: "bigint",
    run_id: "text",
    task_id: "text",
    handler: "text",
    status: "text",
    attempts: "integer",
    input_data: "jsonb",
    output_data: "jsonb",
    error_message: "text",
    execution_time_ms: "integer",
    created_at: "timestamp with time zone",
    updated_at: "timestamp with time zone",
    completed_at: "timestamp with time zone",
  });
});

test("a run shows in the history of runs from its start to its end", async () => {
  await bed.register("steps", {
    variables: [{ name: "n", type: "integer", required: true }],
    workflow: {
      tasks: [{ id: "a", type: "noop", parameters: { output: "${n + 1}" } }],
      output: { sum: "${a.output}" },
    },
  });
  const instance = await bed.openInstance();
  const release = instance.tools.hold("a");
  const { run } = await instance.engine.startRun(
    CALLER,
    startOf("steps", { input: { n: 1 }, userId: "u", correlationId: "c", context: { trace: "t" } }),
    0,
  );
  const read = async () => (await bed.sql("SELECT * FROM public.flow_run_history"))[0];
  const common = {
    run_id: run.state.runId,
    flow_id: "steps",
    tenant_id: "default",
    user_id: "u",
    correlation_id: "c",
    input_data: { n: 1 },
    execution_context: { trace: "t" },
    error_message: null,
    created_at: run.state.createdAt,
  };
  expect(await read()).toMatchObject({ ...common, status: "RUNNING", output_data: null, completed_at: null });
  release();
  const { state } = await instance.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
  expect(await read()).toMatchObject({
    ...common,
    status: "COMPLETED",
    output_data: { sum: 2 },
    completed_at: state.endedAt,
    updated_at: state.endedAt,
  });
});

test("ends other than success show with their reason", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  await bed.register("gate", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  const instance = await bed.openInstance();
  instance.tools.answer("a", () => ({ ok: false, error: { type: "BROKEN", message: "no luck", retryable: false } }));
  const start = async (flow: string, more = {}) =>
    (await instance.engine.startRun(CALLER, startOf(flow, more), 0)).run.state.runId;
  const failed = await start("one");
  const terminated = await start("gate");
  await instance.engine.terminateRun(CALLER, terminated, "enough");
  const canceled = await start("gate");
  await instance.engine.cancelRun(CALLER, canceled, "", false);
  const late = await start("gate", { runTimeoutMs: 50 });
  await Promise.all([failed, late].map((runId) => instance.engine.waitRun(CALLER, runId, 10_000, NEVER)));
  const rows = await bed.sql<{ run_id: string; status: string; error_message: string | null }>(
    "SELECT run_id, status, error_message FROM public.flow_run_history",
  );
  const of = (runId: string) => rows.find((row) => row.run_id === runId);
  expect(of(failed)).toMatchObject({ status: "FAILED", error_message: "BROKEN: no luck" });
  expect(of(terminated)).toMatchObject({ status: "TERMINATED", error_message: "enough" });
  expect(of(canceled)).toMatchObject({ status: "CANCELED" });
  expect(of(late)).toMatchObject({ status: "TIMED_OUT", error_message: "the run did not end before its deadline" });
});

test("tasks show with their handler, attempts, input, output, error and time", async () => {
  await bed.register("mix", [
    {
      id: "flaky",
      type: "noop",
      parameters: { output: "fine" },
      retry_policy: { max_retries: 1, backoff_type: "fixed", initial_delay: "1ms" },
    },
    { id: "bad", type: "noop", on_error: "continue" },
    { id: "skipped", type: "noop", trigger_rule: "one_success", depends_on: ["never"] },
    { id: "never", type: "noop", depends_on: ["cond"] },
    { id: "cond", type: "condition", condition: "${false}", on_success: ["never"] },
    { id: "s", type: "signal", parameters: { name: "s" } },
  ]);
  const instance = await bed.openInstance();
  instance.tools.answer("flaky", (call) =>
    call.attempt === 1
      ? { ok: false, error: { type: "BUSY", message: "try later", retryable: true } }
      : { ok: true, output: "fine" },
  );
  instance.tools.answer("bad", () => ({ ok: false, error: { type: "BROKEN", message: "no", retryable: false } }));
  const { run } = await instance.engine.startRun(CALLER, startOf("mix"), 0);
  await eventually(async () => {
    const rows = await bed.sql<{ task_id: string; status: string }>("SELECT * FROM public.task_execution_history");
    const byTask = Object.fromEntries(rows.map((row) => [row.task_id, row]));
    expect(byTask.flaky).toMatchObject({
      run_id: run.state.runId,
      handler: "noop",
      status: "COMPLETED",
      attempts: 2,
      input_data: { output: "fine" },
      output_data: "fine",
    });
    expect(byTask.bad).toMatchObject({ status: "FAILED", attempts: 1, error_message: "no" });
    expect(byTask.never).toMatchObject({ status: "SKIPPED" });
    expect(byTask.skipped).toMatchObject({ status: "SKIPPED", attempts: 0 });
    expect(byTask.cond).toMatchObject({ handler: "condition", status: "COMPLETED", output_data: { result: false } });
    expect(byTask.s).toMatchObject({ handler: "signal", status: "WAITING", completed_at: null });
  });
  const [flaky] = await bed.sql<{ execution_time_ms: number; created_at: number; completed_at: number }>(
    "SELECT * FROM public.task_execution_history WHERE task_id = 'flaky'",
  );
  expect(flaky?.execution_time_ms).toBeGreaterThanOrEqual(0);
  expect(flaky?.completed_at).toBeGreaterThanOrEqual(flaky?.created_at ?? Number.POSITIVE_INFINITY);
});

test("text that JSON can hold and the database's own JSON cannot blinds neither view", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  const text = "nul \0, half a pair \ud800, \udfff, a whole one 🙂, and the letters \\u0000 \\ud800";
  instance.tools.answer("a", () => ({ ok: true, output: text }));
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 10_000);
  expect(run.state.output).toEqual({ a: text });
  expect((await bed.stateOf(run.state.runId)).output).toEqual({ a: text });
  const shown = { a: expect.stringMatching(/^nul \ufffd, half a pair \ufffd, \ufffd, a whole one 🙂/) };
  expect(await bed.sql("SELECT output_data FROM public.flow_run_history")).toEqual([{ output_data: shown }]);
  expect(await bed.sql("SELECT 1 FROM public.task_execution_history")).toHaveLength(1);
});

// Ids were counted over all rows of all runs, so the condition on the run could not reach the tables: every read of one
// run read everything.
test("the tasks of one run are read without those of the others, under ids that stay", async () => {
  await bed.register("two", [
    { id: "a", type: "noop" },
    { id: "b", type: "noop" },
  ]);
  const instance = await bed.openInstance();
  const results = await instance.engine.startRuns(CALLER, [startOf("two"), startOf("two")], 10_000);
  const [first = "", second = ""] = results.map((result) => (result instanceof Error ? "" : result.run.state.runId));
  const read = (runId: string) =>
    bed.sql<{ id: number; task_id: string }>(
      "SELECT id, task_id FROM public.task_execution_history WHERE run_id = $1 ORDER BY id",
      [runId],
    );
  const rows = [...(await read(first)), ...(await read(second))];
  expect(new Set(rows.map((row) => row.id)).size).toBe(4);
  const all = await bed.sql<{ id: number }>("SELECT id, task_id FROM public.task_execution_history");
  expect(all).toEqual(expect.arrayContaining(rows));
  const plan = await bed.database.reads.transaction(async (runner) => {
    // Tables of a few rows are read whole whatever the indexes.
    await runner.query("SET LOCAL enable_seqscan = off");
    const explained = await runner.query(
      `EXPLAIN (FORMAT JSON) SELECT * FROM public.task_execution_history WHERE run_id = '${first}'`,
    );
    return JSON.stringify(explained.rows);
  });
  expect(plan).toMatch(new RegExp(`"Index Name":"runs_pkey"[^}]*"Index Cond":"\\(run_id = '${first}'`));
});
